"""Random cells, changes and calls, each held to the eager loop: `make fuzz`.

`expressions.py` and `cells.py` write a cell's equations, `reads.py` has the ways in which a cell
may read what can change, `operations.py` what is done with a layer. A case (`cases.py`) is the
source of a script of these: it is run as it stands, made smaller while it still fails, and
printed, so that a reader can paste it. `checks.py` is what such a script imports.

The random numbers are Python's own and not Hypothesis's: a case takes some hundred of them and
about 30 ms, of which Hypothesis would use the greater part for its own accounts; and a failure has
to become short *source*, which a shrinker does best that knows what an equation and a call is.
"""
