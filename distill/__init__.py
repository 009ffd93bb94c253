"""Makes the bundled embedding model: `python -m distill`."""
