"""A step may run again after a commit whose outcome nobody knows: the second run looks up what the first one did."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from rag_server.domain.document import WholeVersion
from rag_server.domain.failure import Failure, FailureReason
from rag_server.domain.job import JobStage, JobState, Progress
from storage.sqlite import Database
from tests.contracts.ingesting import LEASE_S, claim, ingest, ingested, order, stage, staged_chunks, summary, tick
from tests.fakes.store_ports import StorePorts

T = TypeVar("T")
CORRUPT = Failure(FailureReason.CORRUPT)
EVERYTHING = """
SELECT (SELECT group_concat(job_id || state || revision || fence) FROM job), (SELECT count(*) FROM version),
  (SELECT group_concat(document_id || number) FROM document), (SELECT count(*) FROM chunk),
  (SELECT group_concat(text) FROM page), (SELECT count(*) FROM change), (SELECT count(*) FROM tombstone)
"""


async def _twice(database: Database, step: Callable[[], Awaitable[T]]) -> T:
    """Run the step again with the very same arguments: nothing more has changed, and the answer is the same."""
    first = await step()
    before = await database.read(lambda connection: connection.execute(EVERYTHING).fetchall())
    assert await step() == first
    assert await database.read(lambda connection: connection.execute(EVERYTHING).fetchall()) == before
    return first


async def test_an_ingestion_whose_every_step_runs_twice(store: StorePorts, database: Database) -> None:
    asked = order(content="one two")
    await _twice(database, lambda: store.jobs.admit(asked, 1.0))
    claimed = await _twice(database, lambda: store.slot.claim("slot-0", 2.0, LEASE_S))
    assert claimed is not None
    assert await _twice(database, lambda: store.staging.unchanged(claimed, 3.0)) is False
    progress = Progress(JobStage.EMBEDDING)
    await _twice(database, lambda: store.slot.heartbeat(claimed, progress, 3.0, LEASE_S))
    version_id = await _twice(database, lambda: store.staging.begin(claimed))
    await _twice(database, lambda: store.staging.stage_text(claimed, version_id, [(1, 0, "one two")]))
    await _twice(database, lambda: store.staging.stage_chunks(claimed, version_id, staged_chunks("one two")))
    published = await _twice(
        database, lambda: store.staging.publish(claimed, version_id, summary("one two"), None, 4.0)
    )
    job = await store.jobs.get(asked.job_id)
    assert (job.state, job.sequence) == (JobState.SUCCEEDED, published)
    sequence = await _twice(database, lambda: store.documents.delete(job.document_id, "", 5.0))
    assert sequence == 2


async def test_publishing_at_once_runs_twice(store: StorePorts, database: Database) -> None:
    await store.jobs.admit(order(content="one two"), tick())
    claimed, now = await claim(store), tick()
    whole = WholeVersion([(1, 0, "one two")], staged_chunks("one two"), summary("one two"), None)
    assert await _twice(database, lambda: store.staging.publish_whole(claimed, whole, now)) == 1


async def test_the_ways_out_of_a_claim_run_twice(store: StorePorts, database: Database) -> None:
    await store.jobs.admit(order(), tick())
    claimed, now = await claim(store), tick()
    await _twice(database, lambda: store.slot.release(claimed, now))
    claimed, now = await claim(store), tick()
    await _twice(database, lambda: store.slot.defer(claimed, CORRUPT, now, now))
    claimed, now = await claim(store), tick()
    await _twice(database, lambda: store.slot.fail(claimed, CORRUPT, now))
    now = tick()
    await _twice(database, lambda: store.jobs.retry(claimed.job.order.job_id, now))
    claimed, now = await claim(store), tick()
    await _twice(database, lambda: store.slot.cancelled(claimed, now))
    now = tick()
    await _twice(database, lambda: store.jobs.cancel(claimed.job.order.job_id, now))


async def test_an_unchanged_upload_ends_twice(store: StorePorts, database: Database) -> None:
    await ingest(store, content="one")
    blocking = await store.jobs.admit(order(content="two"), tick())
    await store.jobs.admit(order(content="one"), tick())
    await store.jobs.cancel(blocking.order.job_id, tick())
    claimed, now = await claim(store), tick()
    assert await _twice(database, lambda: store.staging.unchanged(claimed, now)) is True


async def test_publishing_what_was_overtaken_runs_twice(store: StorePorts, database: Database) -> None:
    await store.jobs.admit(order(), tick())
    claimed = await claim(store)
    version_id = await stage(store, claimed, "one")
    await store.jobs.cancel(claimed.job.order.job_id, tick())
    now = tick()
    assert await _twice(database, lambda: store.staging.publish(claimed, version_id, summary("one"), None, now)) == 0


async def test_deleting_a_collection_runs_twice(store: StorePorts, database: Database) -> None:
    await ingest(store, "a")
    await ingested(store, "b", "two")
    assert await _twice(database, lambda: store.documents.delete_collection("default", 1e6)) == (4, 2)


async def test_long_texts_are_staged_in_several_transactions(store: StorePorts, database: Database) -> None:
    await store.jobs.admit(order(), tick())
    claimed = await claim(store)
    version_id = await store.staging.begin(claimed)
    text = "x" * 1_500_000
    pages = [(number, (number - 1) * len(text), text) for number in range(1, 8)]
    await store.staging.stage_text(claimed, version_id, [*pages, (8, 0, "from an earlier attempt")])
    await store.staging.stage_text(claimed, version_id, pages)
    stored = await database.read(
        lambda c: c.execute("SELECT page_number, char_start, length(text) FROM page ORDER BY ordinal").fetchall()
    )
    assert stored == [(number, start, len(text)) for number, start, _ in pages]
    await store.staging.stage_text(claimed, version_id, [])
    assert await database.read(lambda c: c.execute("SELECT count(*) FROM page").get) == 0
