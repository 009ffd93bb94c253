"""Rows of the tables, which both engines have, as values of the domain."""
