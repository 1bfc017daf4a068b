"""The page on a model of any task."""
