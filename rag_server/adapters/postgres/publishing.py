"""Making a version the only one of its document that may be found: one short transaction."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

from dataclasses import dataclass
from typing import Any

import uuid_utils

from rag_server.adapters.postgres.changes import LAST_SEQUENCE
from rag_server.adapters.postgres.claims import ENDED_PROGRESS, SUPERSEDED, ClaimedJob, fenced, retire_staged
from rag_server.adapters.postgres.history import retire_version
from rag_server.adapters.postgres.locks import lock_change_log, lock_document
from rag_server.adapters.tables.bindings import Publication
from rag_server.domain.job import FOUND, IngestOutcome, JobState
from rag_server.ports import LeaseLost
from storage.postgres import Connection
from storage.postgres_named import execute, fetch_row, fetch_value

# All that publishing decides by, in one statement: each costs a way to the server and back. Until the transaction ends
# nobody changes the job, nor the document, whose key is locked before.
_GROUND = f"""
SELECT job.state, job.cancel_requested, job.sequence, job.update_time, {SUPERSEDED},
  EXISTS (SELECT 1 FROM collection c WHERE c.collection = job.collection),
  (SELECT v.version_id FROM version v WHERE v.job_id = job.job_id AND v.state = 'STAGED'),
  d.document_id, d.number, d.current_version_id
FROM job LEFT JOIN document d ON d.collection = job.collection AND d.document_key = job.document_key
WHERE job.job_id = :job_id AND job.fence = :fence FOR NO KEY UPDATE OF job
"""

CANCEL = f"""
UPDATE job SET state = 'CANCELLED', cancel_requested = 1, end_time = :now::float8, update_time = :now::float8,
  slot = NULL, lease_end = NULL, progress = {ENDED_PROGRESS}, revision = revision + 1
WHERE job_id = :job_id AND fence = :fence AND state = 'RUNNING'
"""

_COUNT = "SELECT count(*), coalesce(max(ordinal) + 1, 0) FROM chunk WHERE version_id = $1"

# 2 is added to the job's revision: a server whose views have not applied the change yet tells the job as it was before
# under the number between.
_FLIP = f"""
WITH logged AS (
  INSERT INTO change (sequence, kind, collection, document_id, version_id, change_time)
  VALUES (({LAST_SEQUENCE}) + 1, 'PUBLISHED', :collection::text, :document_id::text, :version_id::bigint, :now::float8)
  RETURNING sequence),
made AS (
  UPDATE version SET state = 'CURRENT', document_id = :document_id::text, number = :number::bigint,
    sequence = logged.sequence, publish_time = :now::float8, media_type = :media_type, page_count = :page_count,
    page_total = :page_total, chunk_count = :chunk_count, char_count = :char_count, properties = :properties,
    problem = :problem::text
  FROM logged WHERE version_id = :version_id::bigint AND state = 'STAGED' AND job_id = :job_id::text
  RETURNING version_id),
pointed AS (
  INSERT INTO document (collection, document_id, document_key, current_version_id, number, admission, create_time,
    update_time)
  SELECT job.collection, :document_id::text, job.document_key, made.version_id, :number::bigint, job.admission,
    :now::float8, :now::float8
  FROM job, made WHERE job.job_id = :job_id::text
  ON CONFLICT (collection, document_id) DO UPDATE SET current_version_id = excluded.current_version_id,
    number = excluded.number, admission = excluded.admission, update_time = excluded.update_time)
UPDATE job SET state = :state, outcome = :outcome, problem = :problem::text, document_id = :document_id::text,
  document_version = :number::bigint, sequence = logged.sequence, progress = :progress, end_time = :now::float8,
  update_time = :now::float8, slot = NULL, lease_end = NULL, revision = revision + 2
FROM logged, made WHERE job.job_id = :job_id::text AND job.fence = :fence AND job.state = 'RUNNING'
RETURNING job.sequence
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """On which a version is published."""

    job: ClaimedJob
    superseded: bool
    collection_stands: bool
    staged_version_id: int | None
    document_id: str | None  # of the document that stands, as is what follows
    number: int | None
    current_version_id: int | None


async def publish(connection: Connection, publication: Publication) -> int:
    """The sequence of the change, or 0 where the job ended CANCELLED. Raises LeaseLost, ValueError."""
    ground = await look_around(connection, publication)
    if isinstance(ground, int):
        return ground
    await _check_chunks(connection, publication)
    return await flip(connection, publication, ground)


async def look_around(connection: Connection, publication: Publication) -> Ground | int:
    """What there is to publish on; what `publish` returns where nothing is to be published, or this very step did it.

    Raises LeaseLost.
    """
    order = publication.claim.job.order
    await lock_document(connection, order.collection, order.document_key)
    row = await fetch_row(connection, _GROUND, fenced(publication.claim))
    if row is None:
        raise LeaseLost
    ground = Ground(ClaimedJob(JobState(row[0]), bool(row[1]), *row[2:4]), *row[4:])
    if ground.job.left_now(FOUND | {JobState.CANCELLED}, publication.now):
        return ground.job.sequence
    if ground.job.state is not JobState.RUNNING:
        raise LeaseLost
    if ground.job.cancel_requested or ground.superseded:
        await execute(connection, CANCEL, fenced(publication.claim, now=publication.now))
        await retire_staged(connection, [order.job_id])
        return 0
    return ground


async def flip(connection: Connection, publication: Publication, ground: Ground) -> int:
    """Point the document to the version, which is whole, and end the job; the sequence of the change."""
    order, now = publication.claim.job.order, publication.now
    if not ground.collection_stands:
        await connection.execute("INSERT INTO collection VALUES ($1, $2) ON CONFLICT DO NOTHING", order.collection, now)
    await retire_version(connection, ground.current_version_id or 0)
    bindings: dict[str, Any] = {
        **publication.values,
        "collection": order.collection,
        "document_id": ground.document_id or str(uuid_utils.uuid7()),
        "number": (ground.number or 0) + 1,
        "state": JobState.SUCCEEDED if publication.problem is None else JobState.SUCCEEDED_PARTIALLY,
        "outcome": IngestOutcome.UPDATED if ground.document_id else IngestOutcome.CREATED,
    }
    await lock_change_log(connection)
    sequence = await fetch_value(connection, _FLIP, bindings)
    if sequence is None:
        raise ValueError(f"version {publication.version_id} is not staged by this job")
    return int(sequence)


async def _check_chunks(connection: Connection, publication: Publication) -> None:
    """Drop chunks that an earlier attempt staged beyond the end; what is left must be whole. Raises ValueError."""
    version_id, wanted = publication.version_id, publication.summary.chunk_count
    await connection.execute("DELETE FROM chunk WHERE version_id = $1 AND ordinal >= $2", version_id, wanted)
    counted = tuple(await connection.fetchrow(_COUNT, version_id))
    if counted != (wanted, wanted):
        raise ValueError(f"version {version_id} has {counted} chunks and ordinals staged, not {wanted}")
