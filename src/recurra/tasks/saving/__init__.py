"""A model as a folder: what is written, how it is checked, how it is read."""
