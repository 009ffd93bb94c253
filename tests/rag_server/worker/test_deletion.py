"""Documents that meet a filter are deleted, in batches, by one job."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uuid_utils

from rag_server.domain.filter import EVERYTHING, AllOf, Comparison, Condition, Field, Filter, NoneOf
from rag_server.domain.filter_record import filter_to_record
from rag_server.domain.job import DocumentCounts, Job, JobKind, JobState, Order
from rag_server.worker.deletion import LOOK
from tests.contracts.ingesting import found_texts, tick
from tests.rag_server.worker.slot import WorkingSlot, working_slot

TAGGED = Condition(Field.TAGS, Comparison.EQUAL, "x")


@pytest.fixture
async def slot(tmp_path: Path) -> AsyncIterator[WorkingSlot]:
    async with working_slot(tmp_path / "blobs") as slot:
        yield slot


async def deleted(slot: WorkingSlot, wanted: Filter, collection: str = "default") -> Job:
    parameters = json.dumps({"filter": filter_to_record(wanted)})
    order = Order(str(uuid_utils.uuid7()), collection, "", "", "", 0, kind=JobKind.DELETE, parameters_json=parameters)
    await slot.store.jobs.admit(order, tick())
    slot.wakeups.notify("queue")
    return await slot.settled(order.job_id)


async def test_what_meets_the_filter_is_gone_and_counted(slot: WorkingSlot) -> None:
    await slot.take_in_texts({"key": "a", "text": "one", "tags": ["x"]}, {"key": "b", "text": "two"})
    job = await deleted(slot, AllOf((TAGGED, NoneOf((Condition(Field.LANGUAGE, Comparison.EQUAL, "en"),)))))
    assert (job.state, job.result) == (JobState.SUCCEEDED, DocumentCounts(deleted=1))
    assert job.sequence == slot.store.change_log.last_sequence()
    assert (job.progress.documents_done, job.progress.documents_total) == (1, 1)
    assert found_texts(slot.store) == ["two"]


async def test_more_documents_than_a_batch_all_go(slot: WorkingSlot) -> None:
    count = 2 * LOOK + 1
    await slot.take_in_texts(*({"key": f"{n:04d}", "text": f"text {n}"} for n in range(count)))
    assert (await deleted(slot, EVERYTHING)).result == DocumentCounts(deleted=count)
    assert found_texts(slot.store) == []


@pytest.mark.parametrize("collection", ["default", "never-there"])
async def test_a_delete_of_nothing_has_succeeded(slot: WorkingSlot, collection: str) -> None:
    job = await deleted(slot, TAGGED, collection)
    assert (job.state, job.result, job.sequence) == (JobState.SUCCEEDED, DocumentCounts(), 0)
