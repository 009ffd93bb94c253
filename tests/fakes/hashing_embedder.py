"""A model without meaning: a text's vector is the sum of its words' random vectors, the same on every machine."""

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class HashingEmbedder:
    """Implements the port Embedder. Texts without a word get the zero vector."""

    def __init__(self, dimensions: int = 16) -> None:
        self.dimensions = dimensions
        self.fingerprint = f"hashing-{dimensions}"

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.embed_queries(texts)

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([self.embed_query(text) for text in texts]) if texts else np.empty((0, self.dimensions), "f4")

    def embed_query(self, text: str) -> NDArray[np.float32]:
        vector = np.zeros(self.dimensions)
        for word in re.findall(r"\w+", text.lower()):
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
            vector += np.random.default_rng(seed).standard_normal(self.dimensions)
        length = np.linalg.norm(vector)
        return (vector / length if length else vector).astype(np.float32)
