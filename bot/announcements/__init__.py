"""How an announcement travels to the citizens of a unit.

`service` is what an officer does (look, try, start, stop, ask how it stands), `durable` is what a process runs; the rest is
theirs. Who may announce, and who approved, is decided above.
"""
