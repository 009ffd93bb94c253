"""Embedding: texts of other programs become vectors of the holding's model."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rag_server.domain.errors import ModelNotFound, TextTooLong
from rag_server.domain.model import Embedded, EmbedOrder, ServedModel, TextKind, shortened
from rag_server.model_ports import Embedder, Tokenizer
from rag_server.use_cases.taking_turns import Places, TakingTurns
from serving.errors import InvalidInput

MOST_CHARS = 4_000_000
# What an answer may hold: at most 16 characters of JSON a value make 32 MiB, and the edge's limit is that.
MOST_VALUES = 1 << 21
TEXT_COST = 8  # tokens' worth of what each text costs beside its tokens
# Enough characters for so many tokens in any language; where not, more is looked at.
CHARS_PER_TOKEN = 16


@dataclass(frozen=True, slots=True)
class Embedding:
    """Embeds in turns; searches have threads of their own and do not wait for it."""

    model: ServedModel
    embedder: Embedder
    tokenizer: Tokenizer
    windows: Mapping[TextKind, int]  # how many tokens of such a text the model reads
    turns: TakingTurns

    async def embed(self, order: EmbedOrder) -> Embedded:
        """Raises InvalidInput, TextTooLong, ModelNotFound, Exhausted."""
        self._check(order)
        with self.turns.batch():
            batch = _Batch(self.embedder, self.tokenizer, order, self.windows[order.kind])
            await self.turns.work_off(batch.measure, batch.char_counts, "measure")
            batch.check_lengths()
            await self.turns.work_off(batch.embed, batch.token_counts + TEXT_COST, "embed")
        vectors = batch.vectors
        if order.dimensions and order.dimensions < self.model.dimensions:
            vectors = shortened(vectors, order.dimensions)
        return Embedded(self.model.name, vectors, batch.token_counts, batch.truncated)

    def _check(self, order: EmbedOrder) -> None:
        if order.model and order.model.lower() != self.model.name.lower():
            raise ModelNotFound(name=order.model, model=order.model)
        if not order.texts:
            raise InvalidInput("There is no text.", field="texts")
        for place, text in enumerate(order.texts):
            if not text:
                raise InvalidInput(f"Text {place} is empty.", field=f"texts[{place}]")
        if sum(map(len, order.texts)) > MOST_CHARS:
            raise InvalidInput(f"The texts have more than {MOST_CHARS} characters: send fewer at once.", field="texts")
        if len(order.texts) * self.model.dimensions > MOST_VALUES:
            most = str(MOST_VALUES // self.model.dimensions)
            raise InvalidInput(f"With this model a request may hold {most} texts.", field="texts", most=most)
        self._check_dimensions(order.dimensions)

    def _check_dimensions(self, asked: int) -> None:
        own, least = self.model.dimensions, self.model.min_dimensions
        if asked in (0, own) or (least and least <= asked <= own):
            return
        can = f"takes {least} to {own} dimensions" if least else f"has {own} dimensions and cannot be shortened"
        raise InvalidInput(f"The model {self.model.name} {can}.", field="dimensions", model=self.model.name)


@dataclass(slots=True)
class _Batch:
    """One request on its way. Its turns write into arrays of their own places only."""

    embedder: Embedder
    tokenizer: Tokenizer
    order: EmbedOrder
    window: int
    texts: list[str] = field(init=False)  # as the model reads them
    char_counts: NDArray[np.int64] = field(init=False)
    token_counts: NDArray[np.int64] = field(init=False)
    truncated: NDArray[np.bool_] = field(init=False)
    vectors: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.order.texts)
        most_read = self.window * CHARS_PER_TOKEN
        self.texts = list(self.order.texts)
        self.char_counts = np.array([min(len(text), most_read) for text in self.texts], np.int64)
        self.token_counts = np.zeros(count, np.int64)
        self.truncated = np.zeros(count, np.bool_)
        self.vectors = np.zeros((count, self.embedder.dimensions), np.float32)

    def measure(self, places: Places) -> None:
        """Count the tokens of these texts, and cut those that are too long."""
        for place in places.tolist():
            ends = _token_ends(self.tokenizer, self.texts[place], self.window)
            if len(ends) > self.window:
                self.truncated[place] = True
                self.texts[place] = self.texts[place][: ends[self.window - 1]]
            self.token_counts[place] = min(len(ends), self.window)

    def check_lengths(self) -> None:
        """Raises TextTooLong for the first text that was cut without leave."""
        if not self.order.truncate and self.truncated.any():
            place, most = int(self.truncated.argmax()), self.window
            told = f"Text {place} is longer than the {most} tokens that the model reads: shorten it, or set truncate."
            raise TextTooLong(told, field=f"texts[{place}]", max_tokens=str(most))

    def embed(self, places: Places) -> None:
        """Make the vectors of these texts."""
        texts = [self.texts[place] for place in places.tolist()]
        if self.order.kind is TextKind.PASSAGE:
            self.vectors[places] = self.embedder.embed_passages(texts)
        else:
            self.vectors[places] = self.embedder.embed_queries(texts)


def _token_ends(tokenizer: Tokenizer, text: str, window: int) -> NDArray[np.int32]:
    """Where tokens end: all of them, or more than `window`. A huge text is not read to its end to see that."""
    looked_at = window * CHARS_PER_TOKEN
    while True:
        ends = tokenizer.offsets(text[:looked_at])[:, 1]
        if len(ends) > window or looked_at >= len(text):
            return ends
        looked_at *= 4
