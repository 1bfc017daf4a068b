"""What the networks learn from: tables, names, countries, splits."""

from recurra.data.chunks import Chunk, Chunks
from recurra.data.countries import country_name, find_country
from recurra.data.names import NameTable, load_names, read_names
from recurra.data.splits import group_key, split_by_group
from recurra.data.tables import read_columns

__all__ = [
    "Chunk",
    "Chunks",
    "NameTable",
    "country_name",
    "find_country",
    "group_key",
    "load_names",
    "read_columns",
    "read_names",
    "split_by_group",
]
