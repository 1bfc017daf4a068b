"""`recurra train`: from a table to a model and a report."""
