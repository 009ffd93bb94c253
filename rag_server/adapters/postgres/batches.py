"""Jobs about several documents: each batch is one transaction, under the fence."""

# ruff: noqa: S608 - statements are put together from this package's constants; values are always bound.

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from rag_server.adapters.postgres.changes import LAST_SEQUENCE
from rag_server.adapters.postgres.claims import check_claim, check_claim_to_read, fenced, look_up
from rag_server.adapters.postgres.deleting import delete_documents
from rag_server.adapters.postgres.locks import lock_collection, lock_document
from rag_server.adapters.postgres.steps import durably
from rag_server.adapters.postgres.texts import Ground, TextBatch, standing_keys
from rag_server.adapters.tables.rows import failure_to_json, progress_to_json, result_from_json, to_json
from rag_server.domain.failure import Failure
from rag_server.domain.filter import Attributes
from rag_server.domain.job import FOUND, Claim, DocumentCounts, JobState, Progress
from rag_server.domain.pipeline import Pipeline
from rag_server.domain.texts import PreparedText, RejectedText, StandingText, TextItem, TextOutcome
from storage.postgres import Connection, PostgresDatabase
from storage.postgres_named import execute, fetch_value

MOST_LOCKS = 32

_ADMISSION_AND_RESULT = "SELECT admission, result FROM job WHERE job_id = $1"

_TELL = "UPDATE job SET result = :result WHERE job_id = :job_id AND fence = :fence AND state = 'RUNNING'"

# As in publishing one document, 2 is added to the revision.
_FINISH = f"""
UPDATE job SET state = :state, problem = :problem,
  sequence = CASE WHEN :changed::boolean THEN ({LAST_SEQUENCE}) ELSE 0 END,
  progress = :progress, end_time = :now::float8, update_time = :now::float8, slot = NULL, lease_end = NULL,
  revision = revision + 2
WHERE job_id = :job_id AND fence = :fence AND state = 'RUNNING' RETURNING sequence
"""


class PostgresBatches:
    """Implements the port Batches."""

    def __init__(self, database: PostgresDatabase, pipeline: Pipeline) -> None:
        self._database = database
        self._pipeline = pipeline

    async def standing(self, claim: Claim, items: Sequence[TextItem]) -> frozenset[str]:
        async def work(connection: Connection) -> frozenset[str]:
            await check_claim_to_read(connection, claim)
            return await standing_keys(connection, claim.job.order.collection, items, self._pipeline)

        return await self._database.read(work)

    async def publish(self, claim: Claim, done: int, texts: Sequence[TextOutcome], now: float) -> DocumentCounts:
        async def work(connection: Connection) -> DocumentCounts:
            await _lock_all(connection, claim, [text.item.document_key for text in texts])
            admission, counts = await _begin(connection, claim)
            if counts.done >= done + len(texts):
                return counts  # this very work has run before, and its commit succeeded after all
            batch = TextBatch(connection, claim.job.order, admission, self._pipeline, now)
            ground = await batch.ground([text.item for text in texts])
            wanted = [text for text in texts if not ground[text.item.document_key].superseded]
            await batch.answer_to([text.item for text in wanted if isinstance(text, StandingText)])
            await batch.publish([text for text in wanted if isinstance(text, PreparedText)], ground)
            return await _tell(connection, claim, _counted(counts, texts, ground))

        return await durably(self._database, "publish_several", work)

    async def delete(self, claim: Claim, documents: Sequence[Attributes], now: float) -> DocumentCounts:
        async def work(connection: Connection) -> DocumentCounts:
            await _lock_all(connection, claim, [document.document_key for document in documents])
            admission, counts = await _begin(connection, claim)
            deleted = await delete_documents(connection, documents, admission, now)
            return await _tell(connection, claim, replace(counts, deleted=counts.deleted + deleted))

        return await durably(self._database, "delete_several", work)

    async def finish(self, claim: Claim, problem: Failure | None, now: float) -> int:
        async def work(connection: Connection) -> int:
            job = await look_up(connection, claim)
            if job.left_now(FOUND, now):
                return job.sequence
            _, counts = await _begin(connection, claim)
            bindings = fenced(
                claim,
                now=now,
                state=JobState.SUCCEEDED if problem is None else JobState.SUCCEEDED_PARTIALLY,
                problem=None if problem is None else failure_to_json(problem),
                changed=counts.done > counts.rejected,
                progress=progress_to_json(Progress(documents_done=counts.done, documents_total=counts.done)),
            )
            return int(await fetch_value(connection, _FINISH, bindings))

        return await durably(self._database, "finish", work)


async def _lock_all(connection: Connection, claim: Claim, document_keys: Sequence[str]) -> None:
    """Always in the same order, so that two batches do not wait for each other.

    The server has a common table for all locks of all sessions: for many keys the collection is locked instead.
    """
    if len(document_keys) > MOST_LOCKS:
        await lock_collection(connection, claim.job.order.collection)
        return
    for document_key in sorted(set(document_keys)):
        await lock_document(connection, claim.job.order.collection, document_key)


async def _begin(connection: Connection, claim: Claim) -> tuple[int, DocumentCounts]:
    """The job's admission and what it has done so far. Raises LeaseLost."""
    await check_claim(connection, claim)
    row = await connection.fetchrow(_ADMISSION_AND_RESULT, claim.job.order.job_id)
    return row[0], result_from_json(row[1])


async def _tell(connection: Connection, claim: Claim, counts: DocumentCounts) -> DocumentCounts:
    await execute(connection, _TELL, fenced(claim, result=to_json(asdict(counts))))
    return counts


def _counted(counts: DocumentCounts, texts: Sequence[TextOutcome], ground: Mapping[str, Ground]) -> DocumentCounts:
    became = Counter(_outcome(text, ground[text.item.document_key]) for text in texts)
    return replace(counts, **{name: getattr(counts, name) + count for name, count in became.items()})


def _outcome(text: TextOutcome, ground: Ground) -> str:
    """The name of the count."""
    if isinstance(text, RejectedText):
        return "rejected"
    if ground.superseded:
        return "superseded"
    if isinstance(text, StandingText):
        return "unchanged"
    return "updated" if ground.document_id else "created"
