"""How good a fitted model is, beside what can be had without it."""
