"""A store in PostgreSQL with vectors of the test's choice, followed by both kinds of views of vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.faiss.view import FaissView
from rag_server.adapters.pgvector.table import prepare
from rag_server.adapters.pgvector.vectors import EXACT_ROWS, PgvectorVectors
from rag_server.adapters.pgvector.view import PgvectorView
from rag_server.domain.chunk import Chunk
from rag_server.domain.document import StagedChunk, Summary
from rag_server.domain.job import JobKind
from rag_server.domain.ranking import Scored
from rag_server.domain.texts import PreparedText, TextItem
from rag_server.domain.version_set import VersionSet
from rag_server.index_ports import VectorIndex, VectorView
from rag_server.views.batch import next_batch
from storage.postgres import PostgresDatabase
from tests.contracts.ingesting import batch_order, claim, tick
from tests.fakes.postgres_store import postgres_ports
from tests.fakes.store_ports import StorePorts

D = 32
CHUNKS = 10  # of a document
AT_ONCE = 200


@dataclass(slots=True)
class Following:
    """A view, and how far it is."""

    view: VectorView
    store: StorePorts
    position: int = 0

    def follow(self) -> None:
        """Apply what waits."""
        while (batch := next_batch(self.store.change_log, self.position)).change_count:
            self.view.apply(batch.documents)
            self.position = batch.last_sequence


@dataclass(slots=True)
class Library:
    """What one does with it, in the words of the tests."""

    database: PostgresDatabase
    store: StorePorts
    faiss: Following
    pgvector: Following

    def follow(self) -> None:
        self.faiss.follow()
        self.pgvector.follow()

    @property
    def vectors(self) -> PgvectorVectors:
        state = self.pgvector.view.state()
        assert isinstance(state, PgvectorVectors)
        return state

    def both(
        self, vectors: NDArray[np.float32], limit: int, within: VersionSet | None = None, collection: str = "c"
    ) -> tuple[list[Scored], list[Scored]]:
        """What FAISS and what PostgreSQL finds."""
        states: tuple[VectorIndex, VectorIndex] = (self.faiss.view.state(), self.vectors)
        faiss, pgvector = (state.search(collection, vectors, limit, within) for state in states)
        return faiss, pgvector

    async def put(self, vectors: NDArray[np.float32], prefix: str = "d", collection: str = "c") -> None:
        """Documents of ten passages each, named d0, d1 …: those with a name that is known get a new version."""
        documents = [
            prepared(f"{prefix}{n}", vectors[first : first + CHUNKS])
            for n, first in enumerate(range(0, len(vectors), CHUNKS))
        ]
        await self.store.jobs.admit(batch_order(JobKind.TEXTS, collection=collection), tick())
        claimed = await claim(self.store)
        for first in range(0, len(documents), AT_ONCE):
            await self.store.batches.publish(claimed, first, documents[first : first + AT_ONCE], tick())
        await self.store.batches.finish(claimed, None, tick())


async def library(database: PostgresDatabase, exact_rows: int = EXACT_ROWS) -> Library:
    store = postgres_ports(database)
    faiss = FaissView(D)
    return Library(database, store, Following(faiss, store), await another_server(database, exact_rows))


async def another_server(database: PostgresDatabase, exact_rows: int = EXACT_ROWS) -> Following:
    """One that follows the same store."""
    extension = await prepare(database, D)
    return Following(PgvectorView(database, D, extension, exact_rows), postgres_ports(database))


def unit_vectors(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Around some centres, as texts are around topics."""
    draw = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((50, D))
    made = centres[draw.integers(0, len(centres), count)] + draw.standard_normal((count, D)) * 0.7
    unit: NDArray[np.float32] = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    return unit


def recall(wanted: Sequence[Scored], found: Sequence[Scored]) -> float:
    """Which share of the first was found."""
    shares = [np.isin(want.chunk_ids, got.chunk_ids).mean() for want, got in zip(wanted, found, strict=True)]
    return float(np.mean(shares))


def prepared(key: str, vectors: NDArray[np.float32]) -> PreparedText:
    text = f"{key} {vectors.sum():.6f}"
    chunks = tuple(
        StagedChunk(Chunk(ordinal, text, 0, len(text), 1, 1, ()), vector) for ordinal, vector in enumerate(vectors)
    )
    return PreparedText(
        TextItem(key, text), Summary("text/plain", 1, 1, len(chunks), len(text), {}), ((1, 0, text),), chunks
    )
