"""What the networks learn from: tables, texts, series, names, splits, and data to try them on."""

from recurra.data.chunks import Chunk, Chunks
from recurra.data.long_text.chunks import TextChunk, TextChunks
from recurra.data.long_text.counted import CountedText
from recurra.data.long_text.source import LongText
from recurra.data.series.reading import read_series
from recurra.data.series.series_set import SeriesSet
from recurra.data.sources.blanks import BlankTable, load_blanks
from recurra.data.sources.conversations import ConversationTable, make_conversations
from recurra.data.sources.countries import country_name, find_country
from recurra.data.sources.dates import DateTable, load_dates
from recurra.data.sources.digits import DigitTable, load_digit_names
from recurra.data.sources.names import NameTable, load_names, read_names
from recurra.data.sources.roles import RoleTable, load_roles
from recurra.data.sources.shapes import ShapeTable, draw_shapes
from recurra.data.sources.stocks import (
    Prices,
    load_prices,
    log_returns,
    parkinson_variance,
    squared_returns,
)
from recurra.data.sources.terms import TermTable, load_terms
from recurra.data.splits import group_key, split_by_group
from recurra.data.tables.conllu import (
    TaggedSentence,
    iter_conllu,
    read_conllu,
    read_tagged,
    write_conllu,
)
from recurra.data.tables.table import Table, columns_of, iter_rows, read_columns, read_table

__all__ = [
    "BlankTable",
    "Chunk",
    "Chunks",
    "ConversationTable",
    "CountedText",
    "DateTable",
    "DigitTable",
    "LongText",
    "NameTable",
    "Prices",
    "RoleTable",
    "SeriesSet",
    "ShapeTable",
    "Table",
    "TaggedSentence",
    "TermTable",
    "TextChunk",
    "TextChunks",
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
