"""Tables of the bot, and the few ways they are read and written."""
