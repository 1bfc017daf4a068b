"""Data to learn from, by what libraries ship or by seeded generators that say so."""
