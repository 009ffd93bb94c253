"""Searching vectors inside PostgreSQL: exactly where there is little, by the HNSW index where there is much."""

# ruff: noqa: S608 - statements are put together from this module's constants; values are always bound.

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.pgvector.rows import vector_as_text, vector_from_sent
from rag_server.adapters.tables.rows import Row, vector_from_blob
from rag_server.domain.ranking import NOTHING, Scored, ranked
from rag_server.domain.segment import VectorHolding
from rag_server.domain.version_set import VersionSet
from storage.postgres import Connection, PostgresDatabase

# Up to so many are compared one by one. Above it, where a filter leaves n of N rows, the index has to go through N / n
# times as many of them, each as dear as five of the others: it is worth it from n * n = 1,000 N on (decision 21).
EXACT_ROWS = 5_000
EXACT_FACTOR = 1_000
# A half has 11 bits: what is near the end of the list is taken along, and all are compared again as the store has them.
MOST_MORE = 100
SOME_MORE = 20
LEAST_EF_SEARCH = 200
MOST_EF_SEARCH = 1_000  # that pgvector takes; it goes on from there where that is not enough
TOLERANCE = 0.001  # how far a unit vector of halves may lie from what it was

_FOR_ONE_SEARCH = """
SELECT set_config('search_path', current_schema() || ', {extension}', true);
SET LOCAL plan_cache_mode TO force_custom_plan; SET LOCAL jit TO off;
"""
# Sorting is what the planner takes for cheaper than it is. Where there is no index yet, it sorts all the same.
_BY_INDEX = """
SET LOCAL enable_sort TO off; SET LOCAL hnsw.iterative_scan TO relaxed_order; SET LOCAL hnsw.ef_search TO {ef_search};
SET LOCAL hnsw.max_scan_tuples TO 200000; SET LOCAL hnsw.scan_mem_multiplier TO 16
"""
_NOT_BY_INDEX = "SET LOCAL enable_sort TO on"

_OF_THESE = "AND n.version_id = ANY($4::bigint[])"
_STANDING = "JOIN document d ON d.current_version_id = n.version_id"
_DISTANCE = "n.vector <#> CAST($2::text AS halfvec)"

# What no longer stands is left out afterwards: it is little, and the index would be asked for each row otherwise.
_NEAR = f"""
WITH near AS MATERIALIZED (
  SELECT n.chunk_id, n.version_id FROM nearest_chunk n WHERE n.collection = $1 AND n.vector IS NOT NULL {{these}}
  ORDER BY {_DISTANCE} LIMIT $3)
SELECT c.chunk_id, c.vector FROM near n {_STANDING} JOIN chunk c ON c.chunk_id = n.chunk_id
"""

# An expression that no index has.
_NEAREST = f"""
WITH near AS MATERIALIZED (
  SELECT n.chunk_id FROM nearest_chunk n {_STANDING} WHERE n.collection = $1 AND n.vector IS NOT NULL {{these}}
  ORDER BY ({_DISTANCE}) + 0, n.chunk_id LIMIT $3)
SELECT c.chunk_id, c.vector FROM near n JOIN chunk c ON c.chunk_id = n.chunk_id
"""

_HOW_MANY = """
SELECT count(*) FROM (
  SELECT 1 FROM nearest_chunk WHERE collection = $1 AND version_id = ANY($2::bigint[]) LIMIT $3) AS few
"""

_OF_CHUNKS = f"""
SELECT n.chunk_id, {{what}} FROM nearest_chunk n {_STANDING} JOIN chunk c ON c.chunk_id = n.chunk_id
WHERE n.chunk_id = ANY($1::bigint[]) AND n.collection = $2
"""

_ROW_COUNT = f"SELECT count(*) FROM nearest_chunk n {_STANDING} WHERE n.collection = $1"
_CHUNK_IDS = f"SELECT n.chunk_id FROM nearest_chunk n {_STANDING} ORDER BY n.chunk_id"


@dataclass(frozen=True, slots=True, eq=False)
class PgvectorVectors:
    """Implements the port VectorIndex, but that it is the present state of the table: what was deleted is gone at once.

    All methods but `holdings` and `tolerance_of` wait for the database, and raise StorageUnavailable.
    """

    database: PostgresDatabase
    dimensions: int
    extension: str  # the schema that it is in
    counts: Mapping[str, int]  # of rows by collection, as they were a little while ago
    exact_rows: int = EXACT_ROWS

    def search(
        self, collection: str, vectors: NDArray[np.float32], limit: int, within: VersionSet | None = None
    ) -> list[Scored]:
        vectors = self._checked(vectors)
        if limit <= 0 or (within is not None and not len(within)):
            return [NOTHING] * len(vectors)

        async def work(connection: Connection) -> list[Scored]:
            await connection.execute(_FOR_ONE_SEARCH.format(extension=self.extension))
            few = await self._are_few(connection, collection, within)
            searching = _Search(connection, collection, within, limit)
            return [await (searching.nearest(vector) if few else searching.near(vector)) for vector in vectors]

        return self.database.read_here(work)

    def scores_of(
        self, collection: str, vector: NDArray[np.float32], chunk_ids: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        query = self._checked(vector[np.newaxis])[0]
        found = self._of_chunks("c.vector", collection, chunk_ids)
        scores = {chunk_id: float(vector_from_blob(blob) @ query) for chunk_id, blob in found.items()}
        return np.array([scores.get(chunk_id, 0.0) for chunk_id in chunk_ids.tolist()], np.float64)

    def vectors_of(self, collection: str, chunk_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        vectors = np.full((len(chunk_ids), self.dimensions), np.nan, np.float32)
        found = self._of_chunks(f"{self.extension}.halfvec_send(n.vector)", collection, chunk_ids)
        for place, chunk_id in enumerate(chunk_ids.tolist()):
            if chunk_id in found:
                vectors[place] = 0.0 if found[chunk_id] is None else vector_from_sent(found[chunk_id])
        return vectors

    def versions_of(self, collection: str, chunk_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        found = self._of_chunks("n.version_id", collection, chunk_ids)
        return np.array([found.get(chunk_id, 0) for chunk_id in chunk_ids.tolist()], np.int64)

    def row_count(self, collection: str) -> int:
        return int(self._rows(_ROW_COUNT, collection)[0][0])

    def holdings(self) -> Mapping[str, VectorHolding]:
        return {collection: VectorHolding(count, (), 0, in_database=True) for collection, count in self.counts.items()}

    def tolerance_of(self, collection: str, chunk_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        del collection
        return np.full(len(chunk_ids), TOLERANCE, np.float32)

    def chunk_ids(self) -> NDArray[np.int64]:
        return np.fromiter((row[0] for row in self._rows(_CHUNK_IDS)), np.int64)

    async def _are_few(self, connection: Connection, collection: str, within: VersionSet | None) -> bool:
        rows = self.counts.get(collection, 0)
        if rows <= self.exact_rows:
            return True
        few = max(self.exact_rows, math.isqrt(EXACT_FACTOR * rows))
        if within is None or len(within) > few:  # a version has at least one row
            return False
        return bool(await connection.fetchval(_HOW_MANY, collection, within.version_ids.tolist(), few + 1) <= few)

    def _of_chunks(self, what: str, collection: str, chunk_ids: NDArray[np.int64]) -> dict[int, Any]:
        rows = self._rows(_OF_CHUNKS.format(what=what), chunk_ids.tolist(), collection)
        return {row[0]: row[1] for row in rows}

    def _rows(self, statement: str, *values: object) -> Sequence[Row]:
        async def work(connection: Connection) -> Sequence[Row]:
            return [tuple(row) for row in await connection.fetch(statement, *values)]

        return self.database.read_here(work)

    def _checked(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        if vectors.ndim != 2 or vectors.shape[1] != self.dimensions or not np.isfinite(vectors).all():  # noqa: PLR2004 - rows of numbers
            raise ValueError(f"not finite vectors of {self.dimensions} dimensions")
        return vectors


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """What is looked for in one transaction."""

    connection: Connection
    collection: str
    within: VersionSet | None
    limit: int

    async def near(self, vector: NDArray[np.float32]) -> Scored:
        """By the index; exactly after all, where that leaves less than there may be."""
        ef_search = min(MOST_EF_SEARCH, max(LEAST_EF_SEARCH, self._wanted))
        await self.connection.execute(_BY_INDEX.format(ef_search=ef_search))
        found = await self._ranked(_NEAR, vector)
        if len(found) == self.limit:
            return found
        await self.connection.execute(_NOT_BY_INDEX)
        return await self.nearest(vector)

    async def nearest(self, vector: NDArray[np.float32]) -> Scored:
        """One by one."""
        return await self._ranked(_NEAREST, vector)

    @property
    def _wanted(self) -> int:
        return self.limit + min(self.limit, MOST_MORE) + SOME_MORE

    async def _ranked(self, statement: str, vector: NDArray[np.float32]) -> Scored:
        """The best of what the statement finds, by the vectors as the store has them."""
        these = () if self.within is None else (self.within.version_ids.tolist(),)
        complete = statement.format(these=_OF_THESE if these else "")
        values = (self.collection, vector_as_text(vector), self._wanted, *these)
        rows = await self.connection.fetch(complete, *values)
        if not rows:
            return NOTHING
        vectors = np.stack([vector_from_blob(row[1]) for row in rows])
        return ranked(np.array([row[0] for row in rows], np.int64), vectors @ vector, self.limit)
