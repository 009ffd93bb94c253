"""What every implementation of the port Segments does, and of its neighbours where segments are in play."""

import asyncio

import numpy as np
import pytest

from rag_server.domain.document import ChangeKind
from rag_server.domain.errors import JobNotRetryable
from rag_server.domain.job import Claim, Job, JobKind, JobState, Order
from rag_server.domain.segment import StoredSegment
from rag_server.ports import LeaseLost
from rag_server.segment_ports import BuiltSegment
from storage.blobs import Blob
from tests.contracts.ingesting import batch_order, claim, ingest, order, tick, vector
from tests.fakes.store_ports import DIMENSIONS, StorePorts


def built(name: str = "a", rows: int = 3) -> BuiltSegment:
    return BuiltSegment(Blob(name * 64, 1_000), rows)


def maintenance(collection: str = "default") -> Order:
    asked = batch_order(JobKind.MAINTENANCE, collection=collection, priority=9)
    return Order(asked.job_id, collection, "", "", "", 0, priority=9, kind=JobKind.MAINTENANCE)


async def claimed(store: StorePorts) -> Claim:
    """A claim for a new job that builds a segment."""
    asked = maintenance()
    assert await store.segments.ask(asked, tick())
    held = await claim(store)
    assert held.job.order == asked
    return held


async def published(store: StorePorts, segment: BuiltSegment | None, *replaced: int) -> Job:
    held = await claimed(store)
    await store.segments.publish(held, segment, replaced, tick())
    return await store.jobs.get(held.job.order.job_id)


async def wanted(store: StorePorts, name: str) -> bool:
    """Whether the file of the segment `built(name)` is."""
    return await asyncio.to_thread(store.references.wanted, built(name).blob.sha256)


async def living(store: StorePorts, collection: str = "default") -> list[int]:
    portions = [portion async for portion in store.segments.living(collection)]
    return sorted(int(chunk_id) for portion in portions for chunk_id in portion)


async def test_one_job_at_a_time_builds_for_a_collection(store: StorePorts) -> None:
    asked = maintenance()
    assert await store.segments.ask(asked, tick())
    assert not await store.segments.ask(maintenance(), tick())
    assert await store.segments.ask(maintenance("other"), tick())
    held = await claim(store)
    assert held.job.order == asked
    assert not await store.segments.ask(maintenance(), tick())
    await store.segments.publish(held, None, (), tick())
    assert await store.segments.ask(maintenance(), tick())


async def test_of_many_who_ask_at_once_one_is_heard(store: StorePorts) -> None:
    asked = await asyncio.gather(*(store.segments.ask(maintenance(), tick()) for _ in range(8)))
    assert sum(asked) == 1
    assert await store.slot.documents_wait(tick()) is False


async def test_the_chunks_of_documents_that_stand_are_told_with_their_vectors(store: StorePorts) -> None:
    await ingest(store, "a", "one two")
    await ingest(store, "b", "three")
    await ingest(store, "b", "four five")
    await ingest(store, "c", "six", collection="other")
    ids = np.array(await living(store), np.int64)
    passages = store.change_log.passages(ids.tolist())
    assert sorted(passage.text for passage in passages.values()) == ["five", "four", "one", "two"]
    rows = await store.segments.rows(ids)
    assert rows.chunk_ids.tolist() == ids.tolist()
    assert rows.version_ids.tolist() == [passages[chunk_id].version_id for chunk_id in ids.tolist()]
    assert rows.document_ids == [passages[chunk_id].document_id for chunk_id in ids.tolist()]
    expected = np.stack([vector(passages[chunk_id].text) for chunk_id in ids.tolist()])
    assert rows.vectors.tolist() == expected.tolist()


async def test_what_went_since_it_was_told_has_no_row(store: StorePorts) -> None:
    job = await ingest(store, "a", "one two")
    ids = np.array(await living(store), np.int64)
    await store.documents.delete(job.document_id, "default", tick())
    rows = await store.segments.rows(ids)
    assert (len(rows.chunk_ids), rows.document_ids, await living(store)) == (0, [], [])


async def test_a_chunk_that_never_was_has_no_row(store: StorePorts) -> None:
    await ingest(store, "a", "one")
    rows = await store.segments.rows(np.array([*await living(store), 10**12]))
    assert (rows.chunk_ids.tolist(), rows.vectors.shape) == (await living(store), (1, DIMENSIONS))


async def test_more_versions_than_a_portion_are_all_told(store: StorePorts, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("sqlite", "postgres"):
        monkeypatch.setattr(f"rag_server.adapters.{module}.segments.VERSIONS_AT_ONCE", 2)
    for number in range(5):
        await ingest(store, f"{number}", f"one two{number}")
    assert await living(store) == store.change_log.current_chunk_ids().tolist()


async def test_a_segment_is_in_use_with_the_end_of_its_job(store: StorePorts) -> None:
    await ingest(store, "a", "one two three")
    job = await published(store, built())
    (segment,) = await store.segments.current("default")
    assert segment == StoredSegment(segment.segment_id, "default", "a" * 64, 1_000, 3)
    assert (job.state, job.sequence, job.progress.chunks_done) == (JobState.SUCCEEDED, 2, 3)
    (change,) = store.change_log.changes(1, 9)
    assert (change.kind, change.collection, change.segment_id) == (ChangeKind.SEGMENT, "default", segment.segment_id)
    assert (change.document_id, change.version_id) == ("", 0)
    assert store.change_log.segment(segment.segment_id) == segment


async def test_publishing_once_more_after_a_commit_of_unknown_outcome_changes_nothing(store: StorePorts) -> None:
    held, now = await claimed(store), tick()
    first = await store.segments.publish(held, built(), (), now)
    assert await store.segments.publish(held, built(), (), now) == first == 1
    assert len(await store.segments.current("default")) == store.change_log.last_sequence() == 1


async def test_what_ended_without_a_segment_ends_no_other_way_later(store: StorePorts) -> None:
    held = await claimed(store)
    assert await store.segments.publish(held, None, (), tick()) == 0
    with pytest.raises(LeaseLost):
        await store.segments.publish(held, built(), (), tick())


async def test_only_segments_of_the_own_collection_are_replaced(store: StorePorts) -> None:
    await published(store, built("a"))
    (kept,) = await store.segments.current("default")
    assert await store.segments.ask(maintenance("other"), tick())
    await store.segments.publish(await claim(store), built("b"), (kept.segment_id,), tick())
    assert await store.segments.current("default") == [kept]


async def test_the_file_of_a_segment_is_wanted_while_it_is_in_use(store: StorePorts) -> None:
    await published(store, built("a"))
    (old,) = await store.segments.current("default")
    assert await wanted(store, "a")
    await published(store, built("b"), old.segment_id)
    assert [await wanted(store, name) for name in "ab"] == [False, True]


async def test_what_is_replaced_is_in_use_no_more(store: StorePorts) -> None:
    await published(store, built("a"))
    (old,) = await store.segments.current("default")
    await published(store, built("b"), old.segment_id)
    (new,) = await store.segments.current("default")
    assert (new.sha256, store.change_log.segment(old.segment_id)) == ("b" * 64, None)
    job = await published(store, None, new.segment_id)
    assert (job.state, job.sequence) == (JobState.SUCCEEDED, 0)
    assert await store.segments.current("default") == []
    assert store.change_log.last_sequence() == 2


async def test_segments_go_with_their_collection(store: StorePorts) -> None:
    await ingest(store, "a", "one")
    await published(store, built())
    (segment,) = await store.segments.current("default")
    await store.documents.delete_collection("default", tick())
    assert (await store.segments.current("default"), store.change_log.segment(segment.segment_id)) == ([], None)


async def test_a_build_for_a_collection_that_was_deleted_meanwhile_is_not_used(store: StorePorts) -> None:
    await ingest(store, "a", "one")
    held = await claimed(store)
    await store.documents.delete_collection("default", tick())
    assert await store.segments.publish(held, built(), (), tick()) == 0
    assert (await store.jobs.get(held.job.order.job_id)).state is JobState.CANCELLED
    assert await store.segments.current("default") == []


async def test_a_lost_claim_publishes_nothing(store: StorePorts) -> None:
    held = await claimed(store)
    await store.slot.reclaim("slot-0", tick())
    with pytest.raises(LeaseLost):
        await store.segments.publish(held, built(), (), tick())
    assert await store.segments.current("default") == []


async def test_a_build_that_gives_way_waits_while_documents_go_first(store: StorePorts) -> None:
    held = await claimed(store)
    now = tick()
    assert not await store.slot.documents_wait(now)
    await store.jobs.admit(order("a", "one"), now)
    assert await store.slot.documents_wait(now)
    await store.slot.release(held, now, now + 100)
    assert (await claim(store, now + 1)).job.order.kind is JobKind.INGEST
    assert await store.slot.claim("slot-0", now + 99, 15.0) is None
    again = await claim(store, now + 100)
    assert (again.job.order.kind, again.job.attempt) == (JobKind.MAINTENANCE, 1)


async def test_a_build_is_not_tried_again_beside_another(store: StorePorts) -> None:
    first = maintenance()
    await store.segments.ask(first, tick())
    await store.jobs.cancel(first.job_id, tick())
    await store.segments.ask(maintenance(), tick())
    with pytest.raises(JobNotRetryable):
        await store.jobs.retry(first.job_id, tick())
