"""The rule of "unchanged": the same bytes with the same words about them are not worked on twice."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

import json
from dataclasses import dataclass

from rag_server.adapters.postgres.claims import OPEN
from rag_server.adapters.sqlite.rows import progress_to_json
from rag_server.domain.job import Order, Progress
from rag_server.domain.pipeline import Pipeline
from rag_server.domain.texts import same_metadata
from storage.postgres import Connection
from storage.postgres_named import execute, fetch_row

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
UPDATE job SET state = CASE WHEN :problem::text IS NULL THEN 'SUCCEEDED' ELSE 'SUCCEEDED_PARTIALLY' END,
  problem = :problem::text, outcome = 'UNCHANGED', document_id = :document_id, document_version = :number,
  sequence = :sequence, progress = :progress, end_time = :now::float8, update_time = :now::float8,
  revision = revision + 2, slot = NULL, lease_end = NULL
WHERE job_id = :job_id AND state IN ('QUEUED', 'RUNNING')
"""

# The document now answers to this job: what was asked for earlier can no longer replace it.
_ANSWER_TO = """
UPDATE document SET admission = greatest(admission, (SELECT admission FROM job WHERE job_id = :job_id))
WHERE document_id = :document_id
"""


@dataclass(frozen=True, slots=True)
class StandingDocument:
    """A document that stands with the bytes that were asked for."""

    document_id: str
    number: int
    sequence: int
    problem: str | None  # JSON: it stands in part only, and the job says so again
    page_count: int
    page_total: int
    chunk_count: int

    async def end_job(self, connection: Connection, job_id: str, now: float) -> None:
        """The job has succeeded with outcome UNCHANGED."""
        progress = Progress(
            pages_done=self.page_count,
            pages_total=self.page_total,
            chunks_done=self.chunk_count,
            chunks_total=self.chunk_count,
        )
        bindings = {
            "job_id": job_id,
            "document_id": self.document_id,
            "number": self.number,
            "sequence": self.sequence,
            "problem": self.problem,
            "progress": progress_to_json(progress),
            "now": now,
        }
        await execute(connection, _END_JOB, bindings)
        await execute(connection, _ANSWER_TO, bindings)


async def standing_document(
    connection: Connection, order: Order, pipeline: Pipeline, admission: int
) -> StandingDocument | None:
    """The document, where it stands as ordered and no job asked for before `admission` is still to change it.

    Who acts upon it has locked the document key.
    """
    bindings = {
        "collection": order.collection,
        "document_key": order.document_key,
        "sha256": order.sha256,
        "pipeline_version": pipeline.version,
        "model_fingerprint": pipeline.model_fingerprint,
        "admission": admission,
    }
    row = await fetch_row(connection, _STANDING, bindings)
    if row is None:
        return None
    *known, metadata, tags = row
    return StandingDocument(*known) if _says_nothing_new(order, metadata, tags) else None


def _says_nothing_new(order: Order, metadata: str, tags: str) -> bool:
    """Whether the document has the metadata and the tags already; an order without them leaves them as they are."""
    same = order.metadata_json == "{}" or same_metadata(order.metadata_json, metadata)
    return same and (not order.tags or set(order.tags) == set(json.loads(tags)))
