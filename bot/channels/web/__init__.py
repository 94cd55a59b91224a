"""The citizens' web chat: the page, its API, and the stream that carries what the bot says first."""
