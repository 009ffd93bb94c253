"""Embedding through fastembed, always from files that are on this machine."""
