"""What every implementation of the port Jobs does."""

from dataclasses import replace

import pytest

from rag_server.domain.errors import JobEnded, JobNotFound, JobNotRetryable, RequestIdReused
from rag_server.domain.failure import Failure, FailureReason
from rag_server.domain.job import MAX_CRASHES, IngestOutcome, JobState
from rag_server.ports import JobFilter
from tests.contracts.ingesting import LEASE_S, claim, finish, found_texts, ingest, ingested, order, tick
from tests.fakes.store_ports import StorePorts

CORRUPT = Failure(FailureReason.CORRUPT, "Broken at page 3.", {"page": "3"})


async def test_an_admitted_job_is_queued_at_revision_one_with_all_that_was_ordered(store: StorePorts) -> None:
    asked = replace(order(request_id="r-1"), tags=("x", "ç"), metadata_json='{"a":1}', traceparent="00-1", priority=7)
    job = await store.jobs.admit(asked, 5.0)
    assert (job.order, job.state, job.revision, job.create_time) == (asked, JobState.QUEUED, 1, 5.0)
    stored = await store.jobs.get(asked.job_id)
    assert replace(stored, queue_position=None) == job


async def test_the_same_job_id_or_request_id_answers_with_the_same_job(store: StorePorts) -> None:
    asked = order(request_id="r-1")
    job = await store.jobs.admit(asked, tick())
    assert await store.jobs.admit(asked, tick()) == job
    assert await store.jobs.admit(order(request_id="r-1"), tick()) == job
    assert await store.jobs.admit_known(order(request_id="r-1"), tick()) == job
    assert await store.jobs.admit_known(replace(order(request_id="r-1"), sha256=""), tick()) == job
    assert await store.jobs.counts() == {JobState.QUEUED: 1}


async def test_of_many_jobs_those_that_have_changed_are_told(store: StorePorts) -> None:
    orders = [order(key) for key in ("a", "b", "c")]
    for one in orders:
        await store.jobs.admit(one, tick())
    known = {one.job_id: 1 for one in orders}
    assert await store.jobs.changed(known) == []
    await store.jobs.cancel(orders[1].job_id, tick())
    changed = await store.jobs.changed(known | {"unknown": 1})
    assert changed == [await store.jobs.get(orders[1].job_id)]
    waiting = await store.jobs.changed({orders[2].job_id: 0})
    assert waiting == [await store.jobs.get(orders[2].job_id)]
    assert waiting[0].queue_position == 1
    assert await store.jobs.changed({}) == []


async def test_jobs_are_counted_by_how_and_why_they_ended(store: StorePorts) -> None:
    assert await store.jobs.count_by_reason() == []
    await ingest(store, "a", "one")
    await ingest(store, "b", "two")
    await store.jobs.admit(order("c"), tick())
    await finish(store, await claim(store), "one", problem=CORRUPT)
    for key, reason in (("d", FailureReason.NO_TEXT), ("e", FailureReason.CORRUPT), ("f", FailureReason.CORRUPT)):
        await store.jobs.admit(order(key), tick())
        await store.slot.fail(await claim(store), Failure(reason), tick())
    await store.jobs.admit(order("g"), tick())
    assert {(one.state, one.reason): one.count for one in await store.jobs.count_by_reason()} == {
        (JobState.SUCCEEDED, None): 2,
        (JobState.SUCCEEDED_PARTIALLY, FailureReason.CORRUPT): 1,
        (JobState.FAILED, FailureReason.NO_TEXT): 1,
        (JobState.FAILED, FailureReason.CORRUPT): 2,
        (JobState.QUEUED, None): 1,
    }


async def test_a_request_id_cannot_stand_for_two_uploads(store: StorePorts) -> None:
    await store.jobs.admit(order(request_id="r-1"), tick())
    for other in (
        order(content="two", request_id="r-1"),
        order(key="b", request_id="r-1"),
        order(collection="c", request_id="r-1"),
    ):
        with pytest.raises(RequestIdReused):
            await store.jobs.admit(other, tick())
        with pytest.raises(RequestIdReused):
            await store.jobs.admit_known(other, tick())


async def test_orders_without_request_id_have_no_equal(store: StorePorts) -> None:
    await store.jobs.admit(order(), tick())
    assert await store.jobs.admit_known(order(), tick()) is None
    assert await store.jobs.counts() == {JobState.QUEUED: 1}


async def test_a_document_that_stands_unchanged_needs_no_bytes(store: StorePorts) -> None:
    first = await ingest(store, content="one two")
    asked = order(content="one two")
    job = await store.jobs.admit_known(asked, tick())
    assert job is not None
    assert (job.order, job.state, job.outcome) == (asked, JobState.SUCCEEDED, IngestOutcome.UNCHANGED)
    assert job.document_id == first.document_id
    assert await store.jobs.get(asked.job_id) == job
    assert await store.jobs.admit_known(order(content="other"), tick()) is None


async def test_the_same_bytes_again_are_unchanged_at_once(store: StorePorts) -> None:
    first = await ingest(store, content="one two")
    again = await store.jobs.admit(order(content="one two"), tick())
    assert (again.state, again.outcome) == (JobState.SUCCEEDED, IngestOutcome.UNCHANGED)
    assert (again.document_id, again.document_version) == (first.document_id, 1)
    assert (again.sequence, again.end_time) == (first.sequence, again.create_time)
    assert store.change_log.last_sequence() == 1


async def test_the_same_bytes_are_not_unchanged_while_the_key_is_being_worked_on(store: StorePorts) -> None:
    await ingest(store, content="one")
    other = await store.jobs.admit(order(content="two"), tick())
    again = await store.jobs.admit(order(content="one"), tick())
    assert again.state is JobState.QUEUED
    await store.jobs.cancel(other.order.job_id, tick())
    assert await store.staging.unchanged(await claim(store), tick())
    assert (await store.jobs.get(again.order.job_id)).outcome is IngestOutcome.UNCHANGED


async def test_a_document_that_stands_in_part_is_unchanged_in_part(store: StorePorts) -> None:
    await store.jobs.admit(order(content="one"), tick())
    await finish(store, await claim(store), "one", problem=CORRUPT)
    again = await store.jobs.admit(order(content="one"), tick())
    assert (again.state, again.problem) == (JobState.SUCCEEDED_PARTIALLY, CORRUPT)
    assert again.outcome is IngestOutcome.UNCHANGED


async def test_the_same_bytes_under_another_key_or_collection_are_another_document(store: StorePorts) -> None:
    first = await ingest(store, "a.txt", "one")
    assert (await ingest(store, "b.txt", "one")).document_id != first.document_id
    assert (await ingest(store, "a.txt", "one", collection="other")).document_id != first.document_id


async def test_an_unchanged_upload_outlives_what_was_asked_before_it(store: StorePorts) -> None:
    await ingest(store, content="one")
    older = await store.jobs.admit(order(content="two"), tick())
    await store.slot.fail(await claim(store), CORRUPT, tick())
    assert (await ingest(store, content="one")).outcome is IngestOutcome.UNCHANGED
    with pytest.raises(JobNotRetryable):
        await store.jobs.retry(older.order.job_id, tick())


async def test_an_unknown_job_is_not_found(store: StorePorts) -> None:
    for call in (
        store.jobs.get("no"),
        store.jobs.cancel("no", tick()),
        store.jobs.retry("no", tick()),
    ):
        with pytest.raises(JobNotFound):
            await call


async def test_jobs_are_listed_latest_first_in_pages(store: StorePorts) -> None:
    ids = [(await store.jobs.admit(order(f"{n}"), tick())).order.job_id for n in range(5)]
    first = await store.jobs.list_jobs(JobFilter(), "", 3)
    second = await store.jobs.list_jobs(JobFilter(), first[-1].order.job_id, 3)
    assert [job.order.job_id for job in first + second] == ids[::-1]


async def test_jobs_are_filtered_by_collection_and_state(store: StorePorts) -> None:
    there = await store.jobs.admit(order(collection="there"), tick())
    here = await store.jobs.admit(order(), tick())
    await store.jobs.cancel(here.order.job_id, tick())
    queued = JobFilter(states=frozenset({JobState.QUEUED, JobState.RUNNING}))
    assert [job.order.job_id for job in await store.jobs.list_jobs(queued, "", 9)] == [there.order.job_id]
    default = JobFilter(collection="default")
    assert [job.order.job_id for job in await store.jobs.list_jobs(default, "", 9)] == [here.order.job_id]
    neither = JobFilter("there", frozenset({JobState.CANCELLED}))
    assert await store.jobs.list_jobs(neither, "", 9) == []


async def test_the_queue_position_counts_the_jobs_ahead(store: StorePorts) -> None:
    asked = [order(f"{n}", priority=priority) for n, priority in enumerate([5, 5, 9, 1])]
    for each in asked:
        await store.jobs.admit(each, tick())
    assert [(await store.jobs.get(each.job_id)).queue_position for each in asked] == [1, 2, 0, 3]
    claimed = await claim(store)
    assert (await store.jobs.get(claimed.job.order.job_id)).queue_position is None


async def test_cancelling_a_queued_job_ends_it_and_again_changes_nothing(store: StorePorts) -> None:
    asked = order()
    await store.jobs.admit(asked, tick())
    job = await store.jobs.cancel(asked.job_id, 7.0)
    assert (job.state, job.revision, job.end_time) == (JobState.CANCELLED, 2, 7.0)
    assert await store.jobs.cancel(asked.job_id, 8.0) == job
    assert await store.slot.claim("slot-0", tick(), LEASE_S) is None


async def test_cancelling_a_running_job_asks_its_worker(store: StorePorts) -> None:
    asked = order()
    await store.jobs.admit(asked, tick())
    claimed = await claim(store)
    job = await store.jobs.cancel(asked.job_id, tick())
    assert (job.state, job.cancel_requested) == (JobState.RUNNING, True)
    assert await store.jobs.cancel(asked.job_id, tick()) == job
    await store.slot.cancelled(claimed, tick())
    assert (await store.jobs.get(asked.job_id)).state is JobState.CANCELLED


async def test_an_ended_job_cannot_be_cancelled(store: StorePorts) -> None:
    job = await ingest(store)
    with pytest.raises(JobEnded):
        await store.jobs.cancel(job.order.job_id, tick())


async def test_retrying_begins_anew(store: StorePorts) -> None:
    asked = order()
    await store.jobs.admit(asked, tick())
    await store.slot.fail(await claim(store), CORRUPT, tick())
    failed = await store.jobs.get(asked.job_id)
    job = await store.jobs.retry(asked.job_id, tick())
    assert (job.state, job.attempt, job.crashes, job.failure, job.end_time) == (JobState.QUEUED, 0, 0, None, None)
    assert job.revision == failed.revision + 1
    await finish(store, await claim(store), "one")
    assert found_texts(store) == ["one"]


@pytest.mark.parametrize("state", ["queued", "running", "succeeded"])
async def test_a_job_that_did_not_end_badly_cannot_be_retried(store: StorePorts, state: str) -> None:
    asked = order()
    await store.jobs.admit(asked, tick())
    if state != "queued":
        claimed = await claim(store)
    if state == "succeeded":
        await finish(store, claimed, "one")
    with pytest.raises(JobNotRetryable):
        await store.jobs.retry(asked.job_id, tick())


async def test_a_job_that_was_overtaken_cannot_be_retried(store: StorePorts) -> None:
    older = order(content="old")
    await store.jobs.admit(older, tick())
    await store.jobs.cancel(older.job_id, tick())
    document = await ingested(store, content="new")
    with pytest.raises(JobNotRetryable):
        await store.jobs.retry(older.job_id, tick())
    await store.documents.delete(document.document_id, "", tick())
    with pytest.raises(JobNotRetryable):
        await store.jobs.retry(older.job_id, tick())


async def test_a_lease_that_ran_out_is_swept_and_the_job_claimed_again(store: StorePorts) -> None:
    await store.jobs.admit(order(), tick())
    first = await claim(store, now=100.0)
    assert await store.jobs.sweep(100.0 + LEASE_S) == 0
    assert await store.jobs.sweep(100.1 + LEASE_S) == 1
    second = await claim(store)
    assert second.fence > first.fence
    assert (second.job.crashes, second.job.attempt) == (1, 2)


async def test_a_job_that_kills_its_workers_is_dead(store: StorePorts) -> None:
    asked = order()
    await store.jobs.admit(asked, tick())
    for _ in range(MAX_CRASHES):
        await claim(store, now=100.0)
        assert await store.jobs.sweep(200.0) == 1
    job = await store.jobs.get(asked.job_id)
    assert job.state is JobState.DEAD
    assert job.failure == Failure(FailureReason.WORKER_CRASHED)
    assert job.end_time == 200.0
    retried = await store.jobs.retry(asked.job_id, 201.0)
    assert (retried.state, retried.attempt, retried.crashes) == (JobState.QUEUED, 0, 0)


async def test_a_job_that_is_to_be_cancelled_is_not_queued_again(store: StorePorts) -> None:
    asked = order()
    await store.jobs.admit(asked, tick())
    await claim(store, now=100.0)
    await store.jobs.cancel(asked.job_id, 101.0)
    assert await store.jobs.sweep(200.0) == 1
    assert (await store.jobs.get(asked.job_id)).state is JobState.CANCELLED


async def test_jobs_are_forgotten_thirty_days_after_their_end(store: StorePorts) -> None:
    job = await ingest(store)
    waiting = await store.jobs.admit(order("waits"), tick())
    assert job.end_time is not None
    month_s = 30 * 86_400
    assert await store.jobs.prune(job.end_time + month_s) == 0
    assert await store.jobs.prune(job.end_time + month_s + 1) == 1
    with pytest.raises(JobNotFound):
        await store.jobs.get(job.order.job_id)
    assert (await store.jobs.get(waiting.order.job_id)).state is JobState.QUEUED
    assert (await store.documents.get(job.document_id)).version == 1
