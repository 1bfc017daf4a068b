"""What a model of each task answers, as the server gives it: one small file a family."""

from recurra.serve.families.family import Family
from recurra.serve.families.table import family_of

__all__ = ["Family", "family_of"]
