"""Remembers what happened, without remembering who."""
