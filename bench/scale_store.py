"""A store of very many vectors, filled at its door: through the ports of the store, not through uploads."""

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import uuid_utils
from numpy.typing import NDArray

from bench.evaluation_data import read_set
from bench.prose import prose, queries
from rag_server.adapters.fastembed.embedder import FastembedEmbedder
from rag_server.adapters.fastembed.models import resolve
from rag_server.adapters.sqlite.batches import SqliteBatches
from rag_server.adapters.sqlite.jobs import SqliteJobs
from rag_server.adapters.sqlite.model_pin import pin_model
from rag_server.adapters.sqlite.slot import SqliteSlot
from rag_server.bootstrap.store import MIGRATIONS, PIPELINE_VERSION
from rag_server.domain.chunk import Chunk
from rag_server.domain.document import StagedChunk, Summary
from rag_server.domain.job import JobKind, Order
from rag_server.domain.pipeline import Pipeline
from rag_server.domain.texts import PreparedText, TextItem
from storage.migrations import upgrade
from storage.sqlite import Database

DOCUMENT_CHUNKS = 20
BATCH_DOCUMENTS = 200
NOISE = 0.35  # the norm of what each repetition of a passage differs by
LEASE_S = 600.0
PASSAGE_SENTENCES = 3
MADE_UP = 20_000
SETS = ("scifact", "faquad")


class Passages:
    """Vectors of real passages where there is test data, of made-up ones elsewhere; repeated with noise."""

    def __init__(self, test_data: Path | None, query_count: int) -> None:
        embedder = FastembedEmbedder(resolve("bundled", Path()), 1)
        self.pipeline = Pipeline(PIPELINE_VERSION, embedder.fingerprint)
        self.dimensions = embedder.dimensions
        texts, asked = _made_up() if test_data is None else _real(test_data / "data" / "retrieval")
        vectors = embedder.embed_passages(texts)
        self._base = vectors[(vectors != 0).any(axis=1)]
        draw = np.random.default_rng(0)
        self.queries = [asked[place] for place in draw.permutation(len(asked))[:query_count]]
        self.query_vectors = np.stack([embedder.embed_query(query) for query in self.queries])

    def vectors(self, first: int, count: int) -> NDArray[np.float32]:
        """(count, d): those numbered from `first` on, always the same for a portion of `batches`."""
        draw = np.random.default_rng(first)
        noise = draw.standard_normal((count, self.dimensions)).astype(np.float32) * (NOISE / self.dimensions**0.5)
        made = self._base[np.arange(first, first + count) % len(self._base)] + noise
        unit: NDArray[np.float32] = made / np.linalg.norm(made, axis=1, keepdims=True)
        return unit


def batches(rows: range) -> Iterator[tuple[int, int]]:
    """First number and count of each portion that is made and stored together."""
    step = DOCUMENT_CHUNKS * BATCH_DOCUMENTS
    for first in range(rows.start, rows.stop, step):
        yield first, min(step, rows.stop - first)


def fill(folder: Path, collection: str, passages: Passages, rows: range) -> None:
    """Put passages into the store in `folder`. No worker may run."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "rag_server.db"
    upgrade(path, MIGRATIONS)
    asyncio.run(_fill(path, collection, passages, rows))


async def _fill(path: Path, collection: str, passages: Passages, rows: range) -> None:
    async with Database(path) as database:
        await pin_model(database, "bundled", passages.pipeline.model_fingerprint, passages.dimensions)
        slot, store = SqliteSlot(database), SqliteBatches(database, passages.pipeline)
        order = Order(str(uuid_utils.uuid7()), collection, "", "", "f" * 64, 1, priority=9, kind=JobKind.TEXTS)
        await SqliteJobs(database, passages.pipeline).admit(order, time.time())
        claim = await slot.claim("bench", time.time(), LEASE_S)
        if claim is None or claim.job.order != order:
            raise RuntimeError("somebody else works on the store")
        done = 0
        for first, count in batches(rows):
            documents = list(_documents(first, passages.vectors(first, count)))
            await store.publish(claim, done, documents, time.time())
            await slot.heartbeat(claim, claim.job.progress, time.time(), LEASE_S)
            done += len(documents)
        await store.finish(claim, None, time.time())


def _documents(first: int, vectors: NDArray[np.float32]) -> Iterator[PreparedText]:
    for start in range(0, len(vectors), DOCUMENT_CHUNKS):
        part = vectors[start : start + DOCUMENT_CHUNKS]
        texts = [passage_text(first + start + offset) for offset in range(len(part))]
        text = "\n".join(texts)
        chunks, begin = [], 0
        for ordinal, one in enumerate(texts):
            chunk = Chunk(ordinal, one, begin, begin + len(one), 1, 1, ())
            chunks.append(StagedChunk(chunk, part[ordinal]))
            begin += len(one) + 1
        summary = Summary("text/plain", 1, 1, len(chunks), len(text), {})
        yield PreparedText(TextItem(f"{first + start:09d}", text), summary, ((1, 0, text),), tuple(chunks))


def passage_text(number: int) -> str:
    """Of the passage with this number; short, since words are not what is measured."""
    words = prose(number, 6).split()[:6]
    return f"{number} {' '.join(words)}"


def number_of(text: str) -> int:
    """What `passage_text` made the text of."""
    return int(text.partition(" ")[0])


def _made_up() -> tuple[list[str], list[str]]:
    return [prose(seed, 40) for seed in range(MADE_UP)], queries(1, 997)


def _real(folder: Path) -> tuple[list[str], list[str]]:
    texts, asked = [], []
    for name in SETS:
        found = read_set(folder / name)
        for document in found.documents:
            sentences = re.split(r"(?<=[.!?])\s+", document.text)
            starts = range(0, len(sentences), PASSAGE_SENTENCES)
            texts += [f"{document.title}. {' '.join(sentences[at : at + PASSAGE_SENTENCES])}" for at in starts]
        asked += [query.text for query in found.queries]
    return texts, asked
