"""The teacher, all-MiniLM-L6-v2, as a BERT forward pass in numpy over sentences of one word piece."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Weights = Mapping[str, Floats]

_CLS, _SEP = 101, 102
_LAYERS, _HEADS = 6, 12
_EPSILON = np.float32(1e-12)
_BATCH = 256
_PIECE = 1  # the place of the word piece in [CLS] piece [SEP]


def piece_vectors(weights: Weights) -> Floats:
    """What the teacher makes of each word piece alone, at its own place: (vocabulary, 384)."""
    count = weights["embeddings.word_embeddings.weight"].shape[0]
    batches = (np.arange(first, min(first + _BATCH, count)) for first in range(0, count, _BATCH))
    return np.concatenate([forward(weights, pieces)[:, _PIECE] for pieces in batches])


def forward(weights: Weights, pieces: NDArray[np.int64]) -> Floats:
    """Hidden states of [CLS] piece [SEP]: (n, 3, 384)."""
    ids = np.stack([np.full_like(pieces, _CLS), pieces, np.full_like(pieces, _SEP)], axis=1)
    hidden = weights["embeddings.word_embeddings.weight"][ids]
    hidden = hidden + weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
    hidden = hidden + weights["embeddings.token_type_embeddings.weight"][0]
    hidden = _normalized(weights, "embeddings.LayerNorm", hidden)
    for layer in range(_LAYERS):
        hidden = _layer(weights, f"encoder.layer.{layer}", hidden)
    return hidden


def _layer(weights: Weights, name: str, hidden: Floats) -> Floats:
    attended = _linear(weights, f"{name}.attention.output.dense", _attention(weights, f"{name}.attention.self", hidden))
    hidden = _normalized(weights, f"{name}.attention.output.LayerNorm", hidden + attended)
    inner = _gelu(_linear(weights, f"{name}.intermediate.dense", hidden))
    return _normalized(weights, f"{name}.output.LayerNorm", hidden + _linear(weights, f"{name}.output.dense", inner))


def _attention(weights: Weights, name: str, hidden: Floats) -> Floats:
    count, length, width = hidden.shape

    def heads(part: str) -> Floats:
        split = _linear(weights, f"{name}.{part}", hidden).reshape(count, length, _HEADS, width // _HEADS)
        return split.transpose(0, 2, 1, 3)

    scores = heads("query") @ heads("key").transpose(0, 1, 3, 2) / np.float32(np.sqrt(width // _HEADS))
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    mixed: Floats = (shares @ heads("value")).transpose(0, 2, 1, 3).reshape(count, length, width)
    return mixed


def _linear(weights: Weights, name: str, values: Floats) -> Floats:
    # One large product: as a stack of small ones it takes three times as long.
    flat = values.reshape(-1, values.shape[-1]) @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
    result: Floats = flat.reshape(*values.shape[:-1], -1)
    return result


def _normalized(weights: Weights, name: str, values: Floats) -> Floats:
    centred = values - values.mean(axis=-1, keepdims=True)
    spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + _EPSILON)
    result: Floats = centred / spread * weights[f"{name}.weight"] + weights[f"{name}.bias"]
    return result


def _gelu(values: Floats) -> Floats:
    result: Floats = values * np.float32(0.5) * (1 + _erf(values * np.float32(np.sqrt(0.5))))
    return result


def _erf(values: Floats) -> Floats:
    """The error function within 1.5e-7 (Abramowitz and Stegun 7.1.26); numpy has none."""
    size = np.abs(values)
    t = 1 / (1 + np.float32(0.3275911) * size)
    polynomial = np.zeros_like(t)
    for coefficient in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        polynomial = (polynomial + np.float32(coefficient)) * t
    result: Floats = np.sign(values) * (1 - polynomial * np.exp(-size * size))
    return result
