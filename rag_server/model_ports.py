"""What models can do: ports beside those of ports.py. They compute, so a caller runs them in a thread."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Tokenizer(Protocol):
    """The tokens of one model."""

    max_tokens: int

    def offsets(self, text: str) -> NDArray[np.int32]:
        """Code point ranges of the tokens, ascending, (n, 2)."""


class Embedder(Protocol):
    """Turns texts into vectors with one model; safe to call from several threads."""

    fingerprint: str
    dimensions: int

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, d), unit length; a zero row where a text has no known token."""

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """(d,), unit length; zero where the text has no known token."""

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, d), each as `embed_query` makes it, but for rounding."""


class Reranker(Protocol):
    """Reads a query and a text together and says how well they fit; safe to call from several threads."""

    name: str
    fingerprint: str
    max_tokens: int  # of a query and a text together; more is not read

    def score(self, query: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n,), from 0 to 1, higher is better. A text's score does not depend on its company."""

    def token_count(self, query: str, texts: Sequence[str]) -> int:
        """How many tokens `score` reads, all pairs together."""
