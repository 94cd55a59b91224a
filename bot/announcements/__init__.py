"""How an announcement travels to citizens, from an officer's first word to each recipient's result.

For officers: `desk` (write, review), `control` (schedule, send, hold, take back), `viewing`, `report`, `chat` (the same from a
conversation). What time does: `due`, `corrections`, `durable`, `chores`. What is said to whom: `content`, `compose`,
`audience`, `selecting`, `forecast`, `planning`, `templates`, `places`. How it leaves: `delivering`, `store`, `lanes`, `rates`,
`respect`, `linked`; `articles`. What became of it: `states`, `attribution`, `words`, `reading`. Which moves there are:
`lifecycle`. Who may what is asked of the floor above (`people`).
"""
