"""Many to many, step by step: a tag for each word."""
