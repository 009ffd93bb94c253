"""Rows with ready vectors, put into a store at its door: no files, no extraction, no embedding; then all is real."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import uuid_utils
from numpy.typing import NDArray

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

BATCH_ROWS = 1_000
ROWS_PER_JOB = 100_000
LEASE_S = 3_600.0
SLOT = "door"


@dataclass(frozen=True, slots=True)
class DoorRow:
    """A document of one passage, with its vector."""

    key: str
    text: str
    vector: NDArray[np.float32]  # (d,), of unit length
    metadata_json: str = "{}"


async def put_in(folder: Path, collection: str, rows: Iterable[DoorRow], model: str = "bundled") -> int:
    """Put the rows into the store of a stack that does not run; returns how many there were.

    The vectors must be as long as those of the model, which the store is pinned to.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # noqa: ASYNC240 - nothing else runs in this loop
    upgrade(folder / "rag_server.db", MIGRATIONS)
    opened = resolve(model, Path())
    embedder = FastembedEmbedder(opened, 1)
    async with Database(folder / "rag_server.db") as database:
        await pin_model(database, opened.name, embedder.fingerprint, embedder.dimensions)
        door = _Door(database, Pipeline(PIPELINE_VERSION, embedder.fingerprint), collection)
        count, left = 0, iter(rows)
        while batch := list(islice(left, ROWS_PER_JOB)):
            await door.put(batch)
            count += len(batch)
        return count


@dataclass(frozen=True, slots=True)
class _Door:
    database: Database
    pipeline: Pipeline
    collection: str

    async def put(self, rows: Sequence[DoorRow]) -> None:
        """One job for them all, as if a worker had done it."""
        order = Order(str(uuid_utils.uuid7()), self.collection, "", "rows", "0" * 64, 0, priority=9, kind=JobKind.TEXTS)
        await SqliteJobs(self.database, self.pipeline).admit(order, time.time())
        claim = await SqliteSlot(self.database).claim(SLOT, time.time(), LEASE_S)
        if claim is None or claim.job.order.job_id != order.job_id:
            raise RuntimeError("something else waits in this store")
        batches = SqliteBatches(self.database, self.pipeline)
        for start in range(0, len(rows), BATCH_ROWS):
            texts = [_prepared(row) for row in rows[start : start + BATCH_ROWS]]
            await batches.publish(claim, start, texts, time.time())
        await batches.finish(claim, None, time.time())


def _prepared(row: DoorRow) -> PreparedText:
    item = TextItem(row.key, row.text, metadata_json=row.metadata_json)
    chunk = Chunk(0, row.text, 0, len(row.text), 1, 1, ())
    summary = Summary(item.media_type, 1, 1, 1, len(row.text), {})
    return PreparedText(item, summary, ((1, 0, row.text),), (StagedChunk(chunk, row.vector),))
