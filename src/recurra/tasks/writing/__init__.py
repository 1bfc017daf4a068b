"""Sequences written for an input: a translation of a text, a caption of a picture."""
