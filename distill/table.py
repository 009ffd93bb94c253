"""From the teacher's vectors of single word pieces to the table of the static model."""

from collections.abc import Mapping, Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

Floats = NDArray[np.float64]

DIMENSIONS = 256
# The strongest components tell how common a piece is, not what it means.
_DROPPED_COMPONENTS = 6
_FREQUENCY_SMOOTHING = 3e-5  # `a` of smooth inverse frequency
_LETTER_WEIGHT = 0.3
_STOP_WORD_LENGTH = 0.05  # of the median row
_COMMON_PIECES = 2000  # left out of that median


def static_table(vectors: NDArray[np.float32], tokenizer: Tokenizer, stop_words: Sequence[str]) -> Floats:
    """One row for each piece of the teacher's vocabulary, then one for each new word of `extended_vocabulary`."""
    vocabulary = tokenizer.get_vocab()
    meaningful = np.array(sorted(number for piece, number in vocabulary.items() if not _is_special(piece)))
    table = np.zeros((len(vectors), DIMENSIONS))
    table[meaningful] = _principal(vectors[meaningful].astype(np.float64)) * _frequency_weights(len(meaningful))
    for piece, number in vocabulary.items():
        if _is_letter(piece):
            table[number] *= _LETTER_WEIGHT
    return _with_stop_words(table, tokenizer, stop_words)


def extended_vocabulary(vocabulary: Mapping[str, int], stop_words: Sequence[str]) -> dict[str, int]:
    """The vocabulary with the stop words that it lacks, numbered in their order."""
    numbers = count(len(vocabulary))
    return {**vocabulary, **{word: next(numbers) for word in stop_words if word not in vocabulary}}


def quantized(table: Floats) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Rows of int8 and a weight for each: weight times row is the table, up to one factor for all."""
    scales = np.abs(table).max(axis=1, keepdims=True) / 127
    rows = np.rint(np.divide(table, scales, out=np.zeros_like(table), where=scales > 0))
    return rows.astype(np.int8), (scales[:, 0] / scales.max()).astype(np.float32)


def _principal(vectors: Floats) -> Floats:
    centred = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred / len(centred))
    axes = axes[:, ::-1]
    # An axis may come out either way round: fixed, so that every machine makes the same file.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    kept: Floats = centred @ axes[:, _DROPPED_COMPONENTS : _DROPPED_COMPONENTS + DIMENSIONS]
    return kept


def _frequency_weights(pieces: int) -> Floats:
    # The vocabulary is sorted by frequency: Zipf's law gives each piece's share from its rank.
    shares = 1 / np.arange(2, pieces + 2)
    shares /= shares.sum()
    weights: Floats = _FREQUENCY_SMOOTHING / (_FREQUENCY_SMOOTHING + shares)
    return weights[:, None]


def _with_stop_words(table: Floats, tokenizer: Tokenizer, stop_words: Sequence[str]) -> Floats:
    vocabulary = tokenizer.get_vocab()
    numbers = extended_vocabulary(vocabulary, stop_words)
    added = [
        table[tokenizer.encode(word, add_special_tokens=False).ids].mean(axis=0)
        for word in stop_words
        if word not in vocabulary
    ]
    extended = np.vstack([table, *added])
    most = _STOP_WORD_LENGTH * float(np.median(np.linalg.norm(table[_COMMON_PIECES:], axis=1)))
    rows = [numbers[word] for word in stop_words]
    lengths = np.linalg.norm(extended[rows], axis=1, keepdims=True)
    extended[rows] *= np.minimum(1, most / lengths)
    return extended


def _is_special(piece: str) -> bool:
    return piece.startswith("[") and piece.endswith("]") and len(piece) > len("[]")


def _is_letter(piece: str) -> bool:
    return len(piece) == len("##x") and piece.startswith("##") and piece[-1].isalpha()
