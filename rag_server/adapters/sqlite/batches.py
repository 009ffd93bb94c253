"""Jobs about several documents: each batch is one transaction, under the fence."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

from collections.abc import Sequence
from dataclasses import asdict, replace

import apsw

from rag_server.adapters.sqlite.changes import LAST_SEQUENCE
from rag_server.adapters.sqlite.claims import check_claim, fenced, look_up
from rag_server.adapters.sqlite.deleting import delete_documents
from rag_server.adapters.sqlite.steps import durably
from rag_server.adapters.sqlite.texts import TextBatch, is_superseded, stands
from rag_server.adapters.tables.rows import failure_to_json, progress_to_json, result_from_json, to_json
from rag_server.domain.failure import Failure
from rag_server.domain.filter import Attributes
from rag_server.domain.job import FOUND, Claim, DocumentCounts, JobState, Progress
from rag_server.domain.pipeline import Pipeline
from rag_server.domain.texts import PreparedText, RejectedText, StandingText, TextItem, TextOutcome
from storage.sqlite import Database

_ADMISSION_AND_RESULT = "SELECT admission, result FROM job WHERE job_id = ?"

_TELL = "UPDATE job SET result = :result WHERE job_id = :job_id AND fence = :fence AND state = 'RUNNING'"

# As in publishing one document, 2 is added to the revision.
_FINISH = f"""
UPDATE job SET state = :state, problem = :problem, sequence = CASE WHEN :changed THEN ({LAST_SEQUENCE}) ELSE 0 END,
  progress = :progress, end_time = :now, update_time = :now, slot = NULL, lease_end = NULL, revision = revision + 2
WHERE job_id = :job_id AND fence = :fence AND state = 'RUNNING' RETURNING sequence
"""


class SqliteBatches:
    """Implements the port Batches."""

    def __init__(self, database: Database, pipeline: Pipeline) -> None:
        self._database = database
        self._pipeline = pipeline

    async def standing(self, claim: Claim, items: Sequence[TextItem]) -> frozenset[str]:
        def work(connection: apsw.Connection) -> frozenset[str]:
            check_claim(connection, claim)
            collection = claim.job.order.collection
            found = (item for item in items if stands(connection, collection, item, self._pipeline))
            return frozenset(item.document_key for item in found)

        return await self._database.read(work)

    async def publish(self, claim: Claim, done: int, texts: Sequence[TextOutcome], now: float) -> DocumentCounts:
        def work(connection: apsw.Connection) -> DocumentCounts:
            admission, counts = _begin(connection, claim)
            if counts.done >= done + len(texts):
                return counts  # this very work has run before, and its commit succeeded after all
            batch = TextBatch(connection, claim.job.order, admission, self._pipeline, now)
            for text in texts:
                counts = _publish(batch, text, counts)
            return _tell(connection, claim, counts)

        return await durably(self._database, "publish_several", work)

    async def delete(self, claim: Claim, documents: Sequence[Attributes], now: float) -> DocumentCounts:
        def work(connection: apsw.Connection) -> DocumentCounts:
            admission, counts = _begin(connection, claim)
            deleted = delete_documents(connection, documents, admission, now)
            return _tell(connection, claim, replace(counts, deleted=counts.deleted + deleted))

        return await durably(self._database, "delete_several", work)

    async def finish(self, claim: Claim, problem: Failure | None, now: float) -> int:
        def work(connection: apsw.Connection) -> int:
            job = look_up(connection, claim)
            if job.left_now(FOUND, now):
                return job.sequence
            _, counts = _begin(connection, claim)
            bindings = fenced(
                claim,
                now=now,
                state=JobState.SUCCEEDED if problem is None else JobState.SUCCEEDED_PARTIALLY,
                problem=None if problem is None else failure_to_json(problem),
                changed=counts.done > counts.rejected,
                progress=progress_to_json(Progress(documents_done=counts.done, documents_total=counts.done)),
            )
            return int(connection.execute(_FINISH, bindings).get)

        return await durably(self._database, "finish", work)


def _begin(connection: apsw.Connection, claim: Claim) -> tuple[int, DocumentCounts]:
    """The job's admission and what it has done so far. Raises LeaseLost."""
    check_claim(connection, claim)
    row = connection.execute(_ADMISSION_AND_RESULT, (claim.job.order.job_id,)).fetchone()
    assert row is not None  # noqa: S101 - the claim holds
    return row[0], result_from_json(row[1])


def _tell(connection: apsw.Connection, claim: Claim, counts: DocumentCounts) -> DocumentCounts:
    connection.execute(_TELL, fenced(claim, result=to_json(asdict(counts))))
    return counts


def _publish(batch: TextBatch, text: TextOutcome, counts: DocumentCounts) -> DocumentCounts:
    if isinstance(text, RejectedText):
        return replace(counts, rejected=counts.rejected + 1)
    if is_superseded(batch, text.item.document_key):
        return replace(counts, superseded=counts.superseded + 1)
    if isinstance(text, StandingText):
        batch.answer_to(text.item)
        return replace(counts, unchanged=counts.unchanged + 1)
    assert isinstance(text, PreparedText)  # noqa: S101 - there is no other
    if batch.publish(text):
        return replace(counts, updated=counts.updated + 1)
    return replace(counts, created=counts.created + 1)
