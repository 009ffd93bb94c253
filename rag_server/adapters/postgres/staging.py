"""The way of a version into the store. Staged rows are invisible, and the cache of a job that begins again."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.postgres.claims import (
    ClaimedJob,
    check_claim,
    check_claim_to_read,
    look_up,
    look_up_to_read,
    retire_staged,
)
from rag_server.adapters.postgres.locks import lock_document
from rag_server.adapters.postgres.publishing import flip, look_around, publish
from rag_server.adapters.postgres.steps import durably
from rag_server.adapters.postgres.unchanged import end_unchanged, standing_document
from rag_server.adapters.tables.bindings import Publication, StandingDocument
from rag_server.adapters.tables.rows import to_json, vector_from_blob, vector_to_blob
from rag_server.domain.document import StagedChunk, Summary, WholeVersion
from rag_server.domain.failure import Failure
from rag_server.domain.job import FOUND, Claim, JobState
from rag_server.domain.pipeline import Pipeline
from rag_server.ports import LeaseLost
from storage.postgres import Connection, PostgresDatabase

TEXT_BATCH_CHARS = 4_000_000  # a transaction stays short for others that wait for its locks
EMPTIED_AT_ONCE = 100

_ADMISSION = "SELECT admission FROM job WHERE job_id = $1"

_STAGED = "SELECT version_id FROM version WHERE job_id = $1 AND state = 'STAGED'"

_BEGIN = """
INSERT INTO version (collection, document_key, job_id, state, erased, sha256, size_bytes, file_name, metadata, tags,
  pipeline_version, model_fingerprint, media_type, page_count, page_total, chunk_count, char_count, properties)
SELECT collection, document_key, job_id, 'STAGED', 0, sha256, size_bytes, file_name, metadata, tags,
  $1, $2, '', 0, 0, 0, 0, '{}' FROM job WHERE job_id = $3
RETURNING version_id
"""

_KNOWN_VECTORS = """
SELECT wanted.content_hash, known.vector FROM unnest($2::bytea[]) WITH ORDINALITY AS wanted (content_hash, number)
CROSS JOIN LATERAL (
  SELECT c.vector FROM chunk c JOIN version v ON v.version_id = c.version_id
  WHERE c.collection = $1 AND c.content_hash = wanted.content_hash AND v.erased = 0 AND v.model_fingerprint = $3
  LIMIT 1) AS known
ORDER BY wanted.number
"""

# A small version with all that is in it.
_WRITE_WHOLE = """
WITH made AS (
  INSERT INTO version (collection, document_key, job_id, state, erased, sha256, size_bytes, file_name, metadata, tags,
    pipeline_version, model_fingerprint, media_type, page_count, page_total, chunk_count, char_count, properties)
  SELECT collection, document_key, job_id, 'STAGED', 0, sha256, size_bytes, file_name, metadata, tags,
    $1, $2, '', 0, 0, 0, 0, '{}' FROM job WHERE job_id = $3
  RETURNING version_id, collection),
pages AS (
  INSERT INTO page (version_id, ordinal, page_number, char_start, text)
  SELECT made.version_id, p.* FROM made, unnest($4::bigint[], $5::bigint[], $6::bigint[], $7::text[]) AS p),
chunks AS (
  INSERT INTO chunk (version_id, ordinal, collection, char_start, char_end, page_first, page_last, headings, text,
    content_hash, vector)
  SELECT made.version_id, c.ordinal, made.collection, c.char_start, c.char_end, c.page_first, c.page_last, c.headings,
    c.text, c.content_hash, c.vector
  FROM made, unnest($8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::text[],
    $15::bytea[], $16::bytea[]) AS c (ordinal, char_start, char_end, page_first, page_last, headings, text,
    content_hash, vector)
  ORDER BY c.ordinal)
SELECT version_id FROM made
"""

PAGE_COLUMNS = ("version_id", "ordinal", "page_number", "char_start", "text")
CHUNK_COLUMNS = (
    "version_id", "ordinal", "collection", "char_start", "char_end", "page_first", "page_last", "headings", "text",
    "content_hash", "vector",
)  # fmt: skip

_DROP_CHUNKS = """
DELETE FROM chunk WHERE chunk_id IN (
  SELECT c.chunk_id FROM version v JOIN chunk c ON c.version_id = v.version_id WHERE v.state = 'RETIRED'
  ORDER BY v.version_id, c.ordinal LIMIT $1)
"""

# What another worker is emptying at this moment is left to it.
_EMPTY = """
SELECT version_id FROM version v WHERE state = 'RETIRED'
  AND NOT EXISTS (SELECT 1 FROM chunk c WHERE c.version_id = v.version_id) LIMIT $1 FOR UPDATE SKIP LOCKED
"""


class PostgresStaging:
    """Implements the port Staging."""

    def __init__(self, database: PostgresDatabase, pipeline: Pipeline) -> None:
        self._database = database
        self._pipeline = pipeline

    async def unchanged(self, claim: Claim, now: float) -> bool:
        order = claim.job.order

        async def stands(connection: Connection, job: ClaimedJob) -> StandingDocument | None:
            if job.state is not JobState.RUNNING:
                raise LeaseLost
            admission = await connection.fetchval(_ADMISSION, order.job_id)
            standing = await standing_document(connection, order, self._pipeline, admission)
            return None if job.cancel_requested else standing

        async def may_stand(connection: Connection) -> bool:
            job = await look_up_to_read(connection, claim)
            return job.left_now(FOUND, now) or await stands(connection, job) is not None

        async def work(connection: Connection) -> bool:
            await lock_document(connection, order.collection, order.document_key)
            job = await look_up(connection, claim)
            if job.left_now(FOUND, now):
                return True
            standing = await stands(connection, job)
            if standing is None:
                return False
            await end_unchanged(connection, standing, order.job_id, now)
            await retire_staged(connection, [order.job_id])
            return True

        # Most do not: a look spares them the locks and the wait for the disk.
        return await self._database.read(may_stand) and await durably(self._database, "unchanged", work)

    async def begin(self, claim: Claim) -> int:
        made_with = (self._pipeline.version, self._pipeline.model_fingerprint)

        async def work(connection: Connection) -> int:
            await check_claim(connection, claim)
            job_id = claim.job.order.job_id
            staged = await connection.fetchval(_STAGED, job_id)
            return int(staged or await connection.fetchval(_BEGIN, *made_with, job_id))

        return await durably(self._database, "begin", work)

    async def known_vectors(self, claim: Claim, hashes: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        collection, fingerprint = claim.job.order.collection, self._pipeline.model_fingerprint

        async def work(connection: Connection) -> dict[bytes, NDArray[np.float32]]:
            await check_claim_to_read(connection, claim)
            rows = await connection.fetch(_KNOWN_VECTORS, collection, list(hashes), fingerprint)
            return {key: vector_from_blob(blob) for key, blob in rows}

        return await self._database.read(work)

    async def stage_text(self, claim: Claim, version_id: int, pages: Iterable[tuple[int, int, str]]) -> None:
        for batch in _batches(pages):
            rows = [(version_id, *page) for page in batch]

            async def work(connection: Connection, rows: list[tuple[int, int, int, int, str]] = rows) -> None:
                await _check_staged(connection, claim, version_id)
                first = rows[0][1] if rows else 0
                await connection.execute("DELETE FROM page WHERE version_id = $1 AND ordinal >= $2", version_id, first)
                await connection.copy_records_to_table("page", records=rows, columns=PAGE_COLUMNS)

            await durably(self._database, "stage_text", work)

    async def stage_chunks(self, claim: Claim, version_id: int, chunks: Sequence[StagedChunk]) -> None:
        rows = [chunk_row(version_id, claim.job.order.collection, chunk) for chunk in chunks]
        ordinals = [staged.chunk.ordinal for staged in chunks]

        async def work(connection: Connection) -> None:
            await _check_staged(connection, claim, version_id)
            # COPY knows no conflicts: what an earlier attempt staged goes first.
            again = "DELETE FROM chunk WHERE version_id = $1 AND ordinal = ANY($2::bigint[])"
            await connection.execute(again, version_id, ordinals)
            await connection.copy_records_to_table("chunk", records=rows, columns=CHUNK_COLUMNS)

        await durably(self._database, "stage_chunks", work)

    async def publish(
        self, claim: Claim, version_id: int, summary: Summary, problem: Failure | None, now: float
    ) -> int:
        publication = Publication(claim, version_id, summary, problem, now)

        async def work(connection: Connection) -> int:
            return await publish(connection, publication)

        return await durably(self._database, "publish", work)

    async def publish_whole(self, claim: Claim, version: WholeVersion, now: float) -> int:
        job_id = claim.job.order.job_id
        made_with = (self._pipeline.version, self._pipeline.model_fingerprint)
        pages = [(place, *page) for place, page in enumerate(version.pages)]
        # Less the version and the collection, which the statement knows.
        chunks = [(row[1], *row[3:]) for row in (chunk_row(0, "", chunk) for chunk in version.chunks)]
        columns = [*zip(*pages, strict=True), *zip(*chunks, strict=True)]

        async def work(connection: Connection) -> int:
            publication = Publication(claim, 0, version.summary, version.problem, now)
            ground = await look_around(connection, publication)
            if isinstance(ground, int):
                return ground
            if ground.staged_version_id is not None:
                await retire_staged(connection, [job_id])
            version_id = await connection.fetchval(_WRITE_WHOLE, *made_with, job_id, *columns)
            return await flip(connection, replace(publication, version_id=version_id), ground)

        return await durably(self._database, "publish_whole", work)

    async def drop_retired(self, limit: int) -> int:
        async def work(connection: Connection) -> int:
            status: str = await connection.execute(_DROP_CHUNKS, limit)
            empty = [row[0] for row in await connection.fetch(_EMPTY, EMPTIED_AT_ONCE)]
            await connection.execute("DELETE FROM page WHERE version_id = ANY($1::bigint[])", empty)
            await connection.execute("DELETE FROM version WHERE version_id = ANY($1::bigint[])", empty)
            return int(status.rpartition(" ")[2])

        return await durably(self._database, "drop_retired", work)


async def _check_staged(connection: Connection, claim: Claim, version_id: int) -> None:
    """Raises LeaseLost, ValueError."""
    await check_claim(connection, claim)
    if await connection.fetchval(_STAGED, claim.job.order.job_id) != version_id:
        raise ValueError(f"version {version_id} is not staged by this job")


def chunk_row(version_id: int, collection: str, staged: StagedChunk) -> tuple[object, ...]:
    """The values of CHUNK_COLUMNS."""
    chunk = staged.chunk
    place = (chunk.char_start, chunk.char_end, chunk.page_first, chunk.page_last)
    headings = to_json(chunk.headings) if chunk.headings else "[]"
    vector = vector_to_blob(staged.vector)
    return (version_id, chunk.ordinal, collection, *place, headings, chunk.text, chunk.content_hash, vector)


def _batches(pages: Iterable[tuple[int, int, str]]) -> Iterator[list[tuple[int, int, int, str]]]:
    """Pages with their ordinals, in order, in batches of limited size; at least one batch."""
    batch: list[tuple[int, int, int, str]] = []
    chars = 0
    for ordinal, (number, char_start, text) in enumerate(pages):
        if batch and chars + len(text) > TEXT_BATCH_CHARS:
            yield batch
            batch, chars = [], 0
        batch.append((ordinal, number, char_start, text))
        chars += len(text)
    yield batch
