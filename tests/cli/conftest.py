"""Commands that the tests of all folders below share (`commands.py`)."""
