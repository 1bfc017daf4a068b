"""What the networks learn from: tables, texts, series, names, splits, and data to try them on."""

from recurra.data.blanks import BlankTable, load_blanks
from recurra.data.chunks import Chunk, Chunks
from recurra.data.conllu import TaggedSentence, iter_conllu, read_conllu, read_tagged, write_conllu
from recurra.data.conversations import ConversationTable, make_conversations
from recurra.data.countries import country_name, find_country
from recurra.data.dates import DateTable, load_dates
from recurra.data.digits import DigitTable, load_digit_names
from recurra.data.names import NameTable, load_names, read_names
from recurra.data.roles import RoleTable, load_roles
from recurra.data.series import SeriesSet
from recurra.data.series_tables import read_series
from recurra.data.shapes import ShapeTable, draw_shapes
from recurra.data.splits import group_key, split_by_group
from recurra.data.stocks import (
    Prices,
    load_prices,
    log_returns,
    parkinson_variance,
    squared_returns,
)
from recurra.data.tables import Table, columns_of, iter_rows, read_columns, read_table
from recurra.data.terms import TermTable, load_terms

__all__ = [
    "BlankTable",
    "Chunk",
    "Chunks",
    "ConversationTable",
    "DateTable",
    "DigitTable",
    "NameTable",
    "Prices",
    "RoleTable",
    "SeriesSet",
    "ShapeTable",
    "Table",
    "TaggedSentence",
    "TermTable",
    "columns_of",
    "country_name",
    "draw_shapes",
    "find_country",
    "group_key",
    "iter_conllu",
    "iter_rows",
    "load_blanks",
    "load_dates",
    "load_digit_names",
    "load_names",
    "load_prices",
    "load_roles",
    "load_terms",
    "log_returns",
    "make_conversations",
    "parkinson_variance",
    "read_columns",
    "read_conllu",
    "read_names",
    "read_series",
    "read_table",
    "read_tagged",
    "split_by_group",
    "squared_returns",
    "write_conllu",
]
