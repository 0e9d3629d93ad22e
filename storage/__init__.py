"""What is on disk: Parquet, FAISS and DuckDB. Knows the records and errors of the method, nothing else of it."""
