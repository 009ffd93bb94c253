"""Deleting documents in a batch, as of a job: what was asked for after the job stays."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

from collections.abc import Sequence

from rag_server.adapters.postgres.changes import append_change
from rag_server.adapters.postgres.claims import OPEN
from rag_server.domain.document import ChangeKind
from rag_server.domain.filter import Attributes
from storage.postgres import Connection
from storage.postgres_named import execute

_THE_DOCUMENT = "collection = :collection AND document_key = :document_key"

_DELETE = """
DELETE FROM document WHERE collection = :collection AND document_id = :document_id
  AND current_version_id = :version_id AND admission < :admission
"""

_CANCEL_EARLIER = f"""
UPDATE job SET state = CASE state WHEN 'QUEUED' THEN 'CANCELLED' ELSE state END,
  end_time = CASE state WHEN 'QUEUED' THEN :now::float8 END, next_attempt_time = NULL, cancel_requested = 1,
  revision = revision + 1, update_time = :now::float8
WHERE {OPEN} AND cancel_requested = 0 AND {_THE_DOCUMENT} AND admission < :admission
"""

# What a later job has staged is its own; what an earlier one that runs stages is of no use to others.
_ERASE_EARLIER = f"""
UPDATE version SET erased = 1, state = CASE
  WHEN state = 'STAGED' AND EXISTS (SELECT 1 FROM job WHERE job.job_id = version.job_id AND job.state = 'RUNNING')
  THEN 'STAGED' ELSE 'RETIRED' END
WHERE {_THE_DOCUMENT}
  AND NOT EXISTS (SELECT 1 FROM job WHERE job.job_id = version.job_id AND job.admission > :admission)
"""

_BURY = """
INSERT INTO tombstone AS t (collection, document_key, document_id, admission, sequence, delete_time)
VALUES (:collection, :document_key, :document_id, :admission, :sequence, :now::float8)
ON CONFLICT (collection, document_key) DO UPDATE SET document_id = excluded.document_id,
  admission = greatest(t.admission, excluded.admission), sequence = excluded.sequence,
  delete_time = excluded.delete_time
"""


async def delete_documents(connection: Connection, documents: Sequence[Attributes], admission: int, now: float) -> int:
    """Delete those that stand with that version and answer to nothing later than `admission`; returns how many.

    Their keys are locked.
    """
    deleted = [document for document in documents if await _clear(connection, document, admission, now)]
    for document in deleted:
        what = (document.collection, document.document_id, 0)
        sequence = await append_change(connection, ChangeKind.DELETED, what, now)
        await execute(connection, _BURY, {**_bindings(document, admission, now), "sequence": sequence})
    return len(deleted)


async def _clear(connection: Connection, document: Attributes, admission: int, now: float) -> bool:
    bindings = _bindings(document, admission, now)
    if await execute(connection, _DELETE, bindings) == 0:
        return False
    await execute(connection, _CANCEL_EARLIER, bindings)
    await execute(connection, _ERASE_EARLIER, bindings)
    await execute(connection, f"DELETE FROM history WHERE {_THE_DOCUMENT}", bindings)
    return True


def _bindings(document: Attributes, admission: int, now: float) -> dict[str, object]:
    return {
        "collection": document.collection,
        "document_key": document.document_key,
        "document_id": document.document_id,
        "version_id": document.version_id,
        "admission": admission,
        "now": now,
    }
