"""One text of any size: read a little at a time, by rows side by side."""
