"""The rule of "unchanged": the same bytes with the same words about them are not worked on twice."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

import apsw

from rag_server.adapters.sqlite.claims import OPEN
from rag_server.adapters.tables.bindings import StandingDocument, standing_for, unchanged
from rag_server.domain.job import Order
from rag_server.domain.pipeline import Pipeline

_STANDING = f"""
SELECT d.document_id, d.number, v.sequence, v.problem, v.page_count, v.page_total, v.chunk_count, v.metadata,
  v.tags
FROM document d JOIN version v ON v.version_id = d.current_version_id
WHERE d.collection = :collection AND d.document_key = :document_key AND v.sha256 = :sha256
  AND v.pipeline_version = :pipeline_version AND v.model_fingerprint = :model_fingerprint
  AND NOT EXISTS (SELECT 1 FROM job WHERE collection = :collection AND document_key = :document_key AND {OPEN}
                  AND admission < :admission)
"""

# Like publishing, this adds 2 to the revision: a server whose views lag tells the job as it was before under the number
# between.
_END_JOB = """
UPDATE job SET state = CASE WHEN :problem IS NULL THEN 'SUCCEEDED' ELSE 'SUCCEEDED_PARTIALLY' END,
  problem = :problem, outcome = 'UNCHANGED', document_id = :document_id, document_version = :number,
  sequence = :sequence, progress = :progress, end_time = :now, update_time = :now, revision = revision + 2,
  slot = NULL, lease_end = NULL
WHERE job_id = :job_id AND state IN ('QUEUED', 'RUNNING')
"""

# The document now answers to this job: what was asked for earlier can no longer replace it.
_ANSWER_TO = """
UPDATE document SET admission = max(admission, (SELECT admission FROM job WHERE job_id = ?)) WHERE document_id = ?
"""


def standing_document(
    connection: apsw.Connection, order: Order, pipeline: Pipeline, admission: int
) -> StandingDocument | None:
    """The document, where it stands as ordered and no job asked for before `admission` is still to change it."""
    return unchanged(order, connection.execute(_STANDING, standing_for(order, pipeline, admission)).fetchone())


def end_unchanged(connection: apsw.Connection, standing: StandingDocument, job_id: str, now: float) -> None:
    """The job has succeeded with outcome UNCHANGED."""
    connection.execute(_END_JOB, standing.ending(job_id, now))
    connection.execute(_ANSWER_TO, (job_id, standing.document_id))
