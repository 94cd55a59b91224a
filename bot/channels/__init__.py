"""How messages enter and leave: one module a messenger."""
