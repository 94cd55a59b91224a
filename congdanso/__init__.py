"""The roof: settings in, wired objects out. Nobody imports from here."""
