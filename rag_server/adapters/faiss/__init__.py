"""Vectors in memory, searched exactly with faiss: blocks that never change, and a small tail."""
