"""Vectors searched inside PostgreSQL: a table beside the chunks, with an HNSW index (docs/decisions/0021)."""
