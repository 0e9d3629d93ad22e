"""Everything on disk: Parquet, FAISS and DuckDB. Of the method it knows only the records and errors."""
