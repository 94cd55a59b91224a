"""How an announcement travels to the citizens of a unit."""
