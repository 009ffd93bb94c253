"""A reranker without a model: the share of the query's words that stand in the text."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class WordReranker:
    """Implements the port Reranker."""

    name = "words"
    fingerprint = "words-1"
    max_tokens = 64

    def score(self, query: str, texts: Sequence[str]) -> NDArray[np.float32]:
        asked = _words(query)
        return np.array([len(asked & _words(text)) / max(1, len(asked)) for text in texts], np.float32)

    def token_count(self, query: str, texts: Sequence[str]) -> int:
        return sum(len(query.split()) + len(text.split()) for text in texts)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))
