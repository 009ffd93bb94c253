"""Texts become documents, all of a call by one job."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rag_server.domain.document import Document
from rag_server.domain.failure import FailureReason
from rag_server.domain.job import DocumentCounts, JobKind, JobState
from rag_server.worker.texts import BATCH_TEXTS
from tests.contracts.ingesting import batch_order, found_texts, tick
from tests.rag_server.worker.slot import WorkingSlot, working_slot


@pytest.fixture
async def slot(tmp_path: Path) -> AsyncIterator[WorkingSlot]:
    async with working_slot(tmp_path / "blobs") as slot:
        yield slot


async def documents(slot: WorkingSlot) -> list[Document]:
    return await slot.store.documents.list_documents("default", "", 1_000)


async def test_every_text_is_a_document_with_its_title_and_its_language(slot: WorkingSlot) -> None:
    markdown = "---\nauthor: Ana\n---\n# Head\n\nbody words"
    job = await slot.take_in_texts(
        {"key": "a", "text": "plain words", "title": "A title", "metadata": {"year": 1}, "tags": ["x"]},
        {"key": "b", "text": markdown, "media_type": "text/markdown"},
    )
    assert (job.state, job.result) == (JobState.SUCCEEDED, DocumentCounts(created=2))
    plain, marked = await documents(slot)
    assert (plain.document_key, plain.media_type, plain.tags) == ("a", "text/plain", ("x",))
    assert (plain.properties, plain.metadata_json) == ({"title": "A title", "language": "pt"}, '{"year":1}')
    assert (marked.media_type, marked.properties["author"]) == ("text/markdown", "Ana")
    assert "plain words" in found_texts(slot.store)


async def test_a_second_call_works_on_what_is_new_only(slot: WorkingSlot) -> None:
    await slot.take_in_texts({"key": "a", "text": "one"}, {"key": "b", "text": "two"})
    before = len(slot.embedder.embedded)
    job = await slot.take_in_texts(
        {"key": "a", "text": "one"}, {"key": "b", "text": "two changed"}, {"key": "c", "text": "three"}
    )
    assert job.result == DocumentCounts(created=1, updated=1, unchanged=1)
    assert len(slot.embedder.embedded) == before + 2


async def test_other_metadata_make_a_new_version_without_embedding_again(slot: WorkingSlot) -> None:
    await slot.take_in_texts({"key": "a", "text": "one"})
    before = len(slot.embedder.embedded)
    job = await slot.take_in_texts({"key": "a", "text": "one", "metadata": {"year": 2}})
    assert job.result == DocumentCounts(updated=1)
    assert len(slot.embedder.embedded) == before


async def test_a_text_without_words_is_left_out_and_counted(slot: WorkingSlot) -> None:
    job = await slot.take_in_texts({"key": "a", "text": " \n"}, {"key": "b", "text": "words"})
    assert (job.state, job.result) == (JobState.SUCCEEDED_PARTIALLY, DocumentCounts(created=1, rejected=1))
    assert job.problem is not None
    assert (job.problem.reason, job.problem.detail) == (FailureReason.NO_TEXT, {"texts": "1"})
    assert "1 of the 2 texts" in job.problem.sentence
    assert [document.document_key for document in await documents(slot)] == ["b"]


async def test_a_call_without_any_word_fails(slot: WorkingSlot) -> None:
    job = await slot.take_in_texts({"key": "a", "text": ""})
    assert (job.state, job.failure and job.failure.reason) == (JobState.FAILED, FailureReason.NO_TEXT)


async def test_more_texts_than_a_batch_are_all_taken_in(slot: WorkingSlot) -> None:
    count = 2 * BATCH_TEXTS + 1
    job = await slot.take_in_texts(*({"key": f"{n:04d}", "text": f"text number {n}"} for n in range(count)))
    assert job.result == DocumentCounts(created=count)
    assert (job.progress.documents_done, job.progress.documents_total) == (count, count)
    assert len(await documents(slot)) == count


async def test_every_chunk_of_a_text_is_the_piece_that_it_cites(slot: WorkingSlot) -> None:
    text = " ".join(f"word{number}" for number in range(200))
    await slot.take_in_texts({"key": "a", "text": text}, {"key": "b", "text": text[::-1]})
    ids = [int(chunk_id) for chunk_id in slot.store.change_log.current_chunk_ids()]
    passages = slot.store.change_log.passages(ids).values()
    whole = {"a": text, "b": text[::-1]}
    assert len(passages) > 10
    assert all(whole[one.document_key][one.char_start : one.char_end] == one.text for one in passages)


async def test_the_file_of_the_texts_must_be_there(slot: WorkingSlot) -> None:
    asked = batch_order(JobKind.TEXTS)
    await slot.store.jobs.admit(asked, tick())
    slot.wakeups.notify("queue")
    job = await slot.settled(asked.job_id)
    assert job.failure is not None
    assert job.failure.reason is FailureReason.BLOB_MISSING
