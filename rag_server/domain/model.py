"""The models that a server has, and what other programs may ask of them."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class ModelUse(StrEnum):
    """What a model is for."""

    EMBEDDER = "EMBEDDER"
    RERANKER = "RERANKER"


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model as it is told to clients."""

    name: str
    use: ModelUse
    dimensions: int  # 0 for a reranker
    max_tokens: int
    fingerprint: str
    min_dimensions: int = 0  # 0: its vectors cannot be shortened


class TextKind(StrEnum):
    """What a text is for: some models read the two differently."""

    QUERY = "QUERY"
    PASSAGE = "PASSAGE"


@dataclass(frozen=True, slots=True)
class EmbedOrder:
    """Texts to be embedded. An empty model is the holding's; 0 dimensions are all."""

    texts: tuple[str, ...]
    model: str
    kind: TextKind
    truncate: bool
    dimensions: int


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """The vectors, in the order of the texts."""

    model: str
    vectors: NDArray[np.float32]  # (n, d)
    token_counts: NDArray[np.int64]  # (n,), of what was read
    truncated: NDArray[np.bool_]  # (n,)


@dataclass(frozen=True, slots=True)
class RerankOrder:
    """A query and what may answer it. An empty model is the configured one; `top_n` 0 is all."""

    query: str
    documents: tuple[str, ...]
    model: str
    top_n: int


@dataclass(frozen=True, slots=True, eq=False)
class Reranked:
    """Places of the documents with their scores, best first; of equal scores the one that came first."""

    model: str
    places: NDArray[np.intp]  # (k,)
    scores: NDArray[np.float32]  # (k,), 0 to 1
    token_count: int


def shortened(vectors: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """The first dimensions, at unit length again; rows of zeros stay so. (n, d)"""
    kept = vectors[:, :dimensions]
    lengths: NDArray[np.float32] = np.linalg.norm(kept, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    unit: NDArray[np.float32] = kept / lengths
    return unit
