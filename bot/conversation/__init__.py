"""One turn of talk: what was understood, and the session so far, become replies. Pure: no I/O, no clock of its own."""
