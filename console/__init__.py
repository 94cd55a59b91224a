"""The officers' console: accounts and roles, and server-rendered pages over figures, announcements and packs."""
