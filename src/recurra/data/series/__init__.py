"""Series of numbers over time."""
