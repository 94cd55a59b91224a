"""The subcommands, a module for each kind. Each imports what it needs when it runs, so that small ones start at once."""
