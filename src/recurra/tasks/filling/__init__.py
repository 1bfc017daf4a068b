"""The bidirectional example: the word that belongs in a blank."""
