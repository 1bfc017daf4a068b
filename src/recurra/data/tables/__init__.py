"""Users' files: CSV, TSV, JSON Lines, Parquet and CoNLL-U, read strictly."""
