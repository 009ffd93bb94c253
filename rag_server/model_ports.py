"""What models can do beside embedding: ports beside those of ports.py."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Reranker(Protocol):
    """Reads a query and a text together and says how well they fit; safe to call from several threads."""

    name: str
    fingerprint: str
    max_tokens: int  # of a query and a text together; more is not read

    def score(self, query: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n,), from 0 to 1, higher is better. A text's score does not depend on its company."""

    def token_count(self, query: str, texts: Sequence[str]) -> int:
        """How many tokens `score` reads, all pairs together."""
