"""The way of a version into the store. Staged rows are invisible, and the cache of a job that begins again."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import apsw
import numpy as np
from numpy.typing import NDArray

from rag_server.adapters.sqlite.claims import check_claim, look_up, retire_staged
from rag_server.adapters.sqlite.publishing import flip, publish, settled
from rag_server.adapters.sqlite.steps import durably
from rag_server.adapters.sqlite.unchanged import end_unchanged, standing_document
from rag_server.adapters.tables.bindings import Publication, StandingDocument
from rag_server.adapters.tables.rows import to_json, vector_from_blob, vector_to_blob
from rag_server.domain.document import StagedChunk, Summary, WholeVersion
from rag_server.domain.failure import Failure
from rag_server.domain.job import FOUND, Claim
from rag_server.domain.pipeline import Pipeline
from storage.sqlite import Database

TEXT_BATCH_CHARS = 4_000_000  # a transaction stays short for others that wait to write
EMPTIED_AT_ONCE = 100

_ADMISSION = "SELECT admission FROM job WHERE job_id = ?"

_STAGED = "SELECT version_id FROM version WHERE job_id = ? AND state = 'STAGED'"

_BEGIN = """
INSERT INTO version (collection, document_key, job_id, state, erased, sha256, size_bytes, file_name, metadata, tags,
  pipeline_version, model_fingerprint, media_type, page_count, page_total, chunk_count, char_count, properties)
SELECT collection, document_key, job_id, 'STAGED', 0, sha256, size_bytes, file_name, metadata, tags,
  ?, ?, '', 0, 0, 0, 0, '{}' FROM job WHERE job_id = ?
RETURNING version_id
"""

_KNOWN_VECTOR = """
SELECT c.vector FROM chunk c JOIN version v ON v.version_id = c.version_id
WHERE c.collection = ? AND c.content_hash = ? AND v.erased = 0 AND v.model_fingerprint = ? LIMIT 1
"""

ADD_PAGE = "INSERT OR REPLACE INTO page (version_id, ordinal, page_number, char_start, text) VALUES (?, ?, ?, ?, ?)"

ADD_CHUNK = """
INSERT INTO chunk (version_id, ordinal, collection, char_start, char_end, page_first, page_last, headings, text,
  content_hash, vector)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
ON CONFLICT (version_id, ordinal) DO UPDATE SET char_start = excluded.char_start, char_end = excluded.char_end,
  page_first = excluded.page_first, page_last = excluded.page_last, headings = excluded.headings,
  text = excluded.text, content_hash = excluded.content_hash, vector = excluded.vector
"""

_DROP_CHUNKS = """
DELETE FROM chunk WHERE chunk_id IN (
  SELECT c.chunk_id FROM version v JOIN chunk c ON c.version_id = v.version_id WHERE v.state = 'RETIRED'
  ORDER BY v.version_id, c.ordinal LIMIT ?)
"""

_EMPTY = """
SELECT version_id FROM version v WHERE state = 'RETIRED'
  AND NOT EXISTS (SELECT 1 FROM chunk c WHERE c.version_id = v.version_id) LIMIT ?
"""


class SqliteStaging:
    """Implements the port Staging."""

    def __init__(self, database: Database, pipeline: Pipeline) -> None:
        self._database = database
        self._pipeline = pipeline

    async def unchanged(self, claim: Claim, now: float) -> bool:
        order = claim.job.order

        def stands(connection: apsw.Connection) -> StandingDocument | None:
            job = check_claim(connection, claim)
            admission = connection.execute(_ADMISSION, (order.job_id,)).get
            standing = standing_document(connection, order, self._pipeline, admission)
            return None if job.cancel_requested else standing

        def may_stand(connection: apsw.Connection) -> bool:
            return look_up(connection, claim).left_now(FOUND, now) or stands(connection) is not None

        def work(connection: apsw.Connection) -> bool:
            if look_up(connection, claim).left_now(FOUND, now):
                return True
            standing = stands(connection)
            if standing is None:
                return False
            end_unchanged(connection, standing, order.job_id, now)
            retire_staged(connection, [order.job_id])
            return True

        # Most do not: a look spares them the wait for the disk.
        return await self._database.read(may_stand) and await durably(self._database, "unchanged", work)

    async def begin(self, claim: Claim) -> int:
        def work(connection: apsw.Connection) -> int:
            check_claim(connection, claim)
            job_id = claim.job.order.job_id
            return int(connection.execute(_STAGED, (job_id,)).get or self._begun(connection, job_id))

        return await durably(self._database, "begin", work)

    async def known_vectors(self, claim: Claim, hashes: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        collection, fingerprint = claim.job.order.collection, self._pipeline.model_fingerprint

        def work(connection: apsw.Connection) -> dict[bytes, NDArray[np.float32]]:
            check_claim(connection, claim)
            found = ((key, connection.execute(_KNOWN_VECTOR, (collection, key, fingerprint)).get) for key in hashes)
            return {key: vector_from_blob(blob) for key, blob in found if blob is not None}

        return await self._database.read(work)

    async def stage_text(self, claim: Claim, version_id: int, pages: Iterable[tuple[int, int, str]]) -> None:
        for batch in _batches(pages):
            rows = [(version_id, *page) for page in batch]

            def work(connection: apsw.Connection, rows: list[tuple[int, int, int, int, str]] = rows) -> None:
                _check_staged(connection, claim, version_id)
                first = rows[0][1] if rows else 0
                connection.execute("DELETE FROM page WHERE version_id = ? AND ordinal >= ?", (version_id, first))
                connection.executemany(ADD_PAGE, rows)

            await durably(self._database, "stage_text", work)

    async def stage_chunks(self, claim: Claim, version_id: int, chunks: Sequence[StagedChunk]) -> None:
        rows = [chunk_row(version_id, claim.job.order.collection, chunk) for chunk in chunks]

        def work(connection: apsw.Connection) -> None:
            _check_staged(connection, claim, version_id)
            connection.executemany(ADD_CHUNK, rows)

        await durably(self._database, "stage_chunks", work)

    async def publish(
        self, claim: Claim, version_id: int, summary: Summary, problem: Failure | None, now: float
    ) -> int:
        publication = Publication(claim, version_id, summary, problem, now)
        return await durably(self._database, "publish", lambda connection: publish(connection, publication))

    async def publish_whole(self, claim: Claim, version: WholeVersion, now: float) -> int:
        order = claim.job.order

        def work(connection: apsw.Connection) -> int:
            publication = Publication(claim, 0, version.summary, version.problem, now)
            if (sequence := settled(connection, publication)) is not None:
                return sequence
            if connection.execute(_STAGED, (order.job_id,)).get is not None:
                retire_staged(connection, [order.job_id])
            version_id = self._begun(connection, order.job_id)
            connection.executemany(ADD_PAGE, [(version_id, place, *page) for place, page in enumerate(version.pages)])
            connection.executemany(ADD_CHUNK, [chunk_row(version_id, order.collection, c) for c in version.chunks])
            return flip(connection, replace(publication, version_id=version_id))

        return await durably(self._database, "publish_whole", work)

    async def drop_retired(self, limit: int) -> int:
        def work(connection: apsw.Connection) -> int:
            connection.execute(_DROP_CHUNKS, (limit,))
            dropped = connection.changes()
            empty = connection.execute(_EMPTY, (EMPTIED_AT_ONCE,)).fetchall()
            connection.executemany("DELETE FROM page WHERE version_id = ?", empty)
            connection.executemany("DELETE FROM version WHERE version_id = ?", empty)
            return dropped

        return await durably(self._database, "drop_retired", work)

    def _begun(self, connection: apsw.Connection, job_id: str) -> int:
        """The id of a new version."""
        made_with = (self._pipeline.version, self._pipeline.model_fingerprint)
        return int(connection.execute(_BEGIN, (*made_with, job_id)).get)


def _check_staged(connection: apsw.Connection, claim: Claim, version_id: int) -> None:
    """Raises LeaseLost, ValueError."""
    check_claim(connection, claim)
    if connection.execute(_STAGED, (claim.job.order.job_id,)).get != version_id:
        raise ValueError(f"version {version_id} is not staged by this job")


def chunk_row(version_id: int, collection: str, staged: StagedChunk) -> tuple[object, ...]:
    """The values of ADD_CHUNK."""
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
