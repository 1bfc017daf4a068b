"""Many to one: a class, or numbers, for a sequence."""
