"""The bot: conversation, channels, what comes in and goes out, citizens and their consent."""
