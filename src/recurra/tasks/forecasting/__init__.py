"""Series: what follows, how surely, and how well that went in the past."""
