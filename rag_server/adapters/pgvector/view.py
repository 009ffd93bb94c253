"""The table of vectors as a view that follows the change log; several servers feed the same table."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from rag_server.adapters.pgvector.rows import COLUMNS, copied
from rag_server.adapters.pgvector.vectors import EXACT_ROWS, PgvectorVectors
from rag_server.domain.document import DocumentChunks, IndexedChunk
from rag_server.index_ports import NothingApplied
from serving import logs
from storage.postgres import Connection, PostgresDatabase
from storage.unavailable import StorageUnavailable

# In one transaction: an HNSW index takes some milliseconds a row, and other servers wait.
PORTION = 200
COUNT_SHARE = 0.05  # of the time, at most, goes into counting
_MARK = "pgvector.json"

_LOG = logs.get(__name__)

_COUNTS = "SELECT collection, sum(chunk_count) FROM version WHERE state = 'CURRENT' GROUP BY collection"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('acervo vectors of ' || current_schema(), 0))"
# Locked against being dropped meanwhile; those of a version that has gone are not there.
_MISSING = """
SELECT c.chunk_id FROM chunk c WHERE c.chunk_id = ANY($1::bigint[])
  AND NOT EXISTS (SELECT 1 FROM nearest_chunk n WHERE n.chunk_id = c.chunk_id)
"""
_LOCKED = f"{_MISSING} FOR KEY SHARE OF c"


class PgvectorView:
    """Implements the port VectorView. Whatever some server put in, others find there; nothing is put in twice.

    Rows leave with their chunks, when the worker drops what has retired: until then searches pass over them.
    """

    def __init__(
        self, database: PostgresDatabase, dimensions: int, extension: str, exact_rows: int = EXACT_ROWS
    ) -> None:
        """`extension` is the schema that pgvector is in. Up to `exact_rows` are compared one by one."""
        self._exact_rows = exact_rows
        self._database = database
        self._dimensions = dimensions
        self._extension = extension
        self._counts: Mapping[str, int] = {}
        self._count_again_s = 0.0

    def clear(self) -> None:
        """What is there stays, for other servers: what is missing comes with the documents that are applied again."""

    def apply(self, documents: Sequence[DocumentChunks]) -> None:
        """Raises NothingApplied as well."""
        chunks = {chunk.chunk_id: chunk for document in documents for chunk in document.chunks}
        for chunk in chunks.values():
            if chunk.vector.shape != (self._dimensions,) or not np.isfinite(chunk.vector).all():
                raise ValueError(f"not finite vectors of {self._dimensions} dimensions")
        try:
            for portion in _portions(self._missing(list(chunks))):
                self._put([chunks[chunk_id] for chunk_id in portion])
        except StorageUnavailable as error:
            raise NothingApplied from error

    def adopt(self, collection: str, sha256: str, path: Path) -> None:
        """Segments are of servers that have the vectors in memory."""

    def state(self) -> PgvectorVectors:
        self._count()
        return PgvectorVectors(self._database, self._dimensions, self._extension, self._counts, self._exact_rows)

    def freeze(self, folder: Path, earlier: Path | None) -> Callable[[], None]:
        """A mark: what a snapshot of another kind of view says was applied, is not in the table for certain."""
        del earlier
        return partial(_mark, folder / _MARK, self._dimensions)

    def restore(self, folder: Path) -> None:
        if json.loads((folder / _MARK).read_text()) != {"dimensions": self._dimensions}:
            raise ValueError("vectors of another length")

    def close(self) -> None:
        """There is nothing of its own."""

    def _missing(self, chunk_ids: list[int]) -> list[int]:
        if not chunk_ids:
            return []

        async def work(connection: Connection) -> list[int]:
            return [row[0] for row in await connection.fetch(_MISSING, chunk_ids)]

        return sorted(self._database.read_here(work))

    def _put(self, chunks: Sequence[IndexedChunk]) -> None:
        async def work(connection: Connection) -> None:
            await connection.execute(_LOCK)
            # Looked at again: another server may have been here while this one waited for the lock.
            missing = {row[0] for row in await connection.fetch(_LOCKED, [chunk.chunk_id for chunk in chunks])}
            sent = copied(chunk for chunk in chunks if chunk.chunk_id in missing)
            await connection.copy_to_table("nearest_chunk", source=memoryview(sent), columns=COLUMNS, format="binary")

        self._database.write_here(work)

    def _count(self) -> None:
        """Count anew, unless it was done lately; after a failure the counts stay as they were."""
        begun_s = time.monotonic()
        if begun_s < self._count_again_s:
            return

        async def work(connection: Connection) -> dict[str, int]:
            return {row[0]: int(row[1]) for row in await connection.fetch(_COUNTS)}

        try:
            self._counts = self._database.read_here(work)
        except StorageUnavailable:
            _LOG.warning("vectors not counted")
        ended_s = time.monotonic()
        self._count_again_s = ended_s + (ended_s - begun_s) / COUNT_SHARE


def _mark(path: Path, dimensions: int) -> None:
    path.write_text(json.dumps({"dimensions": dimensions}))


def _portions(chunk_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(chunk_ids), PORTION):
        yield chunk_ids[start : start + PORTION]
