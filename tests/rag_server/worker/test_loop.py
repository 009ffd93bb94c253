"""The slot works on one job after another and tells truthfully how each ended."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uuid_utils

from rag_server.domain.failure import FailureReason
from rag_server.domain.job import Claim, IngestOutcome, JobKind, JobState, Order
from rag_server.worker.loop import GiveWay, Worker
from rag_server.worker.progress import ProgressMeter
from tests.contracts.ingesting import found_texts, tick
from tests.fakes.memory_wakeups import MemoryWakeups
from tests.fakes.store_ports import memory_ports
from tests.rag_server.worker.slot import ENOUGH_S, WorkingSlot, working_slot

LONG = " ".join(f"word{number}" for number in range(200))


@pytest.fixture
async def slot(tmp_path: Path) -> AsyncIterator[WorkingSlot]:
    async with working_slot(tmp_path / "blobs") as slot:
        yield slot


async def test_a_document_is_found_when_its_job_has_succeeded(slot: WorkingSlot) -> None:
    job = await slot.take_in("the quick fox\fon page two")
    assert (job.state, job.outcome, job.document_version) == (JobState.SUCCEEDED, IngestOutcome.CREATED, 1)
    assert "".join(found_texts(slot.store)).startswith("the quick fox")


async def test_every_chunk_is_the_piece_of_text_that_it_cites(slot: WorkingSlot) -> None:
    await slot.take_in(LONG)
    ids = [int(chunk_id) for chunk_id in slot.store.change_log.current_chunk_ids()]
    passages = slot.store.change_log.passages(ids).values()
    assert len(passages) > 5
    assert all(LONG[passage.char_start : passage.char_end] == passage.text for passage in passages)


async def test_a_fault_of_the_input_fails_the_job_and_the_next_one_goes_on(slot: WorkingSlot) -> None:
    failed, good = await slot.take_in("CORRUPT", "bad.txt"), await slot.take_in("fine", "good.txt")
    assert failed.state is JobState.FAILED
    assert failed.failure is not None
    assert failed.failure.reason is FailureReason.CORRUPT
    assert good.state is JobState.SUCCEEDED


async def test_a_fault_of_the_server_is_tried_again_later(slot: WorkingSlot) -> None:
    job = await slot.take_in("BROKEN PARSER")
    assert (job.state, job.attempt) == (JobState.QUEUED, 1)
    assert job.next_attempt_time is not None


async def test_pages_that_could_not_be_read_make_the_success_partial(slot: WorkingSlot) -> None:
    job = await slot.take_in("PARTIAL but some text")
    assert job.state is JobState.SUCCEEDED_PARTIALLY
    assert job.problem is not None
    assert job.problem.reason is FailureReason.TIMEOUT


async def test_a_file_without_words_has_no_text(slot: WorkingSlot) -> None:
    job = await slot.take_in(" \n ")
    assert job.failure is not None
    assert job.failure.reason is FailureReason.NO_TEXT


async def test_bytes_that_changed_on_the_disk_are_not_taken_in(slot: WorkingSlot, tmp_path: Path) -> None:
    await slot.take_in("the first", "first.txt")
    job = await slot.store.jobs.get(await slot.admit("WAIT", "wait.txt"))
    await slot.extractor.waiting.wait()
    second = await slot.admit("the second", "second.txt")
    for path in (tmp_path / "blobs").glob("??/*"):
        path.write_bytes(b"the  other")
    await slot.store.jobs.cancel(job.order.job_id, tick())
    slot.wakeups.notify("cancel")
    failed = await slot.settled(second)
    assert failed.failure is not None
    assert failed.failure.reason is FailureReason.BLOB_MISSING


async def test_a_running_job_is_cancelled_on_request(slot: WorkingSlot) -> None:
    job_id = await slot.admit("WAIT")
    await slot.extractor.waiting.wait()
    await slot.store.jobs.cancel(job_id, tick())
    slot.wakeups.notify("cancel")
    assert (await slot.settled(job_id)).state is JobState.CANCELLED
    assert found_texts(slot.store) == []


async def test_a_worker_that_stops_gives_its_job_back_uncounted(slot: WorkingSlot) -> None:
    job_id = await slot.admit("WAIT")
    await slot.extractor.waiting.wait()
    slot.stop.set()
    async with asyncio.timeout(ENOUGH_S):
        while (job := await slot.store.jobs.get(job_id)).state is not JobState.QUEUED:
            await asyncio.sleep(0.01)
    assert (job.attempt, job.crashes) == (0, 0)


async def test_the_same_bytes_again_are_unchanged_and_nothing_is_embedded(slot: WorkingSlot) -> None:
    await slot.take_in(LONG)
    before = len(slot.embedder.embedded)
    job = await slot.take_in(LONG)
    assert (job.outcome, len(slot.embedder.embedded)) == (IngestOutcome.UNCHANGED, before)


async def test_only_text_that_is_new_is_embedded(slot: WorkingSlot) -> None:
    await slot.take_in(LONG)
    before = len(slot.embedder.embedded)
    job = await slot.take_in(LONG + " and an end")
    assert (job.outcome, job.document_version) == (IngestOutcome.UPDATED, 2)
    assert 1 <= len(slot.embedder.embedded) - before <= 2


async def test_equal_chunks_are_embedded_once(slot: WorkingSlot) -> None:
    await slot.take_in("\f".join(["the same page again and again, word for word, sixteen words in all it has"] * 40))
    assert len(slot.embedder.embedded) == len(set(slot.embedder.embedded))


async def test_work_that_gives_way_is_queued_until_then_and_no_attempt_is_counted() -> None:
    store, wakeups, stop = memory_ports(), MemoryWakeups(), asyncio.Event()
    now = time.time()
    order = Order(str(uuid_utils.uuid7()), "default", "", "", "", 0, kind=JobKind.MAINTENANCE)

    async def give_way(_claim: Claim, _meter: ProgressMeter) -> None:
        raise GiveWay(now + 1_000)

    await store.segments.ask(order, now)
    worker = Worker("slot-1", store.slot, store.staging, {JobKind.MAINTENANCE: give_way}, wakeups)
    running = asyncio.create_task(worker.run(stop))
    async with asyncio.timeout(ENOUGH_S):
        while (job := await store.jobs.get(order.job_id)).next_attempt_time is None:
            await asyncio.sleep(0.01)
        stop.set()
        await running
    assert (job.state, job.attempt, job.next_attempt_time) == (JobState.QUEUED, 0, now + 1_000)
