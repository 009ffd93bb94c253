"""Making a version the only one of its document that may be found: one short transaction."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

import apsw
import uuid_utils

from rag_server.adapters.sqlite.changes import append_change
from rag_server.adapters.sqlite.claims import ENDED_PROGRESS, SUPERSEDED, ClaimedJob, fenced, look_up, retire_staged
from rag_server.adapters.sqlite.history import retire_version
from rag_server.adapters.tables.bindings import Publication
from rag_server.domain.document import ChangeKind
from rag_server.domain.job import FOUND, Claim, IngestOutcome, JobState
from rag_server.ports import LeaseLost

_SUPERSEDED = f"SELECT {SUPERSEDED} FROM job WHERE job_id = ?"

CANCEL = f"""
UPDATE job SET state = 'CANCELLED', cancel_requested = 1, end_time = :now, update_time = :now, slot = NULL,
  lease_end = NULL, progress = {ENDED_PROGRESS}, revision = revision + 1
WHERE job_id = :job_id AND fence = :fence AND state = 'RUNNING'
"""

_COUNT = "SELECT count(*), coalesce(max(ordinal) + 1, 0) FROM chunk WHERE version_id = ?"

STANDING = "SELECT document_id, number, current_version_id FROM document WHERE collection = ? AND document_key = ?"

MAKE_CURRENT = """
UPDATE version SET state = 'CURRENT', document_id = :document_id, number = :number, sequence = :sequence,
  publish_time = :now, media_type = :media_type, page_count = :page_count, page_total = :page_total,
  chunk_count = :chunk_count, char_count = :char_count, properties = :properties, problem = :problem
WHERE version_id = :version_id AND state = 'STAGED' AND job_id = :job_id
"""

_POINT = """
INSERT INTO document (collection, document_id, document_key, current_version_id, number, admission, create_time,
  update_time)
SELECT collection, :document_id, document_key, :version_id, :number, admission, :now, :now
FROM job WHERE job_id = :job_id
ON CONFLICT (collection, document_id) DO UPDATE SET current_version_id = excluded.current_version_id,
  number = excluded.number, admission = excluded.admission, update_time = excluded.update_time
"""

# 2 is added to the revision: a server whose views have not applied the change yet tells the job as it was before
# under the number between.
_SUCCEED = """
UPDATE job SET state = :state, outcome = :outcome, problem = :problem, document_id = :document_id,
  document_version = :number, sequence = :sequence, progress = :progress, end_time = :now, update_time = :now,
  slot = NULL, lease_end = NULL, revision = revision + 2
WHERE job_id = :job_id AND fence = :fence AND state = 'RUNNING'
"""


def publish(connection: apsw.Connection, publication: Publication) -> int:
    """The sequence of the change, or 0 where the job ended CANCELLED. Raises LeaseLost, ValueError."""
    if (sequence := settled(connection, publication)) is not None:
        return sequence
    _check_chunks(connection, publication)
    return flip(connection, publication)


def settled(connection: apsw.Connection, publication: Publication) -> int | None:
    """What `publish` returns, where nothing is to be published, or was by this very step. Raises LeaseLost."""
    job = look_up(connection, publication.claim)
    if job.left_now(FOUND | {JobState.CANCELLED}, publication.now):
        return job.sequence
    if job.state is not JobState.RUNNING:
        raise LeaseLost
    if _is_unwanted(connection, job, publication.claim):
        _cancel(connection, publication)
        return 0
    return None


def _is_unwanted(connection: apsw.Connection, job: ClaimedJob, claim: Claim) -> bool:
    return job.cancel_requested or bool(connection.execute(_SUPERSEDED, (claim.job.order.job_id,)).get)


def _cancel(connection: apsw.Connection, publication: Publication) -> None:
    connection.execute(CANCEL, fenced(publication.claim, now=publication.now))
    retire_staged(connection, [publication.claim.job.order.job_id])


def _check_chunks(connection: apsw.Connection, publication: Publication) -> None:
    """Drop chunks that an earlier attempt staged beyond the end; what is left must be whole. Raises ValueError."""
    version_id, wanted = publication.version_id, publication.summary.chunk_count
    connection.execute("DELETE FROM chunk WHERE version_id = ? AND ordinal >= ?", (version_id, wanted))
    counted = connection.execute(_COUNT, (version_id,)).fetchone()
    if counted != (wanted, wanted):
        raise ValueError(f"version {version_id} has {counted} chunks and ordinals staged, not {wanted}")


def flip(connection: apsw.Connection, publication: Publication) -> int:
    """Point the document to the version, which is whole, and end the job; the sequence of the change."""
    order, now = publication.claim.job.order, publication.now
    connection.execute("INSERT OR IGNORE INTO collection VALUES (?, ?)", (order.collection, now))
    standing = connection.execute(STANDING, (order.collection, order.document_key)).fetchone()
    document_id, number, retired_id = standing or (str(uuid_utils.uuid7()), 0, 0)
    retire_version(connection, retired_id)
    sequence = append_change(
        connection, ChangeKind.PUBLISHED, (order.collection, document_id, publication.version_id), now
    )
    bindings = {
        **publication.values,
        "document_id": document_id,
        "number": number + 1,
        "sequence": sequence,
        "state": JobState.SUCCEEDED if publication.problem is None else JobState.SUCCEEDED_PARTIALLY,
        "outcome": IngestOutcome.UPDATED if standing else IngestOutcome.CREATED,
    }
    connection.execute(MAKE_CURRENT, bindings)
    if connection.changes() != 1:
        raise ValueError(f"version {publication.version_id} is not staged by this job")
    connection.execute(_POINT, bindings)
    connection.execute(_SUCCEED, bindings)
    return sequence
