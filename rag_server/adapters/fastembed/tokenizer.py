"""The tokens of a model as places in a text, counted once for a whole document."""

import json
import os
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding
from tokenizers import Tokenizer as FastTokenizer

# The tokenizer's memory grows with the text it is given (200 bytes a character) and its speed falls;
# blocks of a few pages keep both flat, and several at a time use all the threads it may have.
_BLOCK_CHARS = 8_000
_BLOCKS_AT_ONCE = 32
_LAST_SPACE = re.compile(r"\s(?=\S*\Z)")
STATIC_WINDOW_TOKENS = 512  # fastembed's own limit for static models, which add no special tokens


class WindowTokenizer:
    """Implements the port Tokenizer; `max_tokens` is the model's window less special tokens and the prefix."""

    def __init__(self, folder: Path, prefix: str = "") -> None:
        self._tokenizer = FastTokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._window = self._read_window(folder)
        self.max_tokens = self.room_after(prefix)

    def room_after(self, prefix: str) -> int:
        """How many tokens of a text the model reads behind this prefix."""
        return self._window - len(self._tokenizer.encode(prefix, add_special_tokens=False))

    def offsets(self, text: str) -> NDArray[np.int32]:
        blocks = list(_blocks(text))
        parts = [
            part
            for first in range(0, len(blocks), _BLOCKS_AT_ONCE)
            for part in self._encode(text, blocks[first : first + _BLOCKS_AT_ONCE])
        ]
        return np.concatenate(parts) if parts else np.empty((0, 2), np.int32)

    def _encode(self, text: str, blocks: list[tuple[int, int]]) -> Iterator[NDArray[np.int32]]:
        texts = [text[start:end] for start, end in blocks]
        if len(texts) == 1:  # the library's threads would be woken for it
            encodings = [self._tokenizer.encode(texts[0], add_special_tokens=False)]
        else:
            encodings = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        for (start, _), encoding in zip(blocks, encodings, strict=True):
            yield _ranges(encoding) + np.int32(start)

    def _read_window(self, folder: Path) -> int:
        if (folder / "model.safetensors").is_file():
            return STATIC_WINDOW_TOKENS
        return declared_window(folder) - self._tokenizer.num_special_tokens_to_add(is_pair=False)


def declared_window(folder: Path) -> int:
    """The tokens that a model reads at once, special tokens among them, as its folder says."""
    config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    lengths = [config.get("model_max_length"), config.get("max_length")]
    return min(length for length in lengths if isinstance(length, int) and length > 0)


def use_threads(threads: int) -> None:
    """How many threads tokenizing may take, in this whole process. The first call decides."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true" if threads > 1 else "false")
    os.environ.setdefault("RAYON_NUM_THREADS", str(threads))


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Ranges of some thousand characters that end before white space, so that no word is divided."""
    start = 0
    while start < len(text):
        end = min(start + _BLOCK_CHARS, len(text))
        if end < len(text) and (space := _LAST_SPACE.search(text, start + 1, end)):
            end = space.start()
        yield start, end
        start = end


def _ranges(encoding: Encoding) -> NDArray[np.int32]:
    # A list of pairs costs numpy three times what a flat iterator does.
    pairs = encoding.offsets
    return np.fromiter(chain.from_iterable(pairs), np.int32, 2 * len(pairs)).reshape(-1, 2)
