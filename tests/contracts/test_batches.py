"""What every implementation of the port Batches does."""

import pytest

from rag_server.domain.attributes import attributes_of
from rag_server.domain.document import ChangeKind, Document
from rag_server.domain.failure import Failure, FailureReason
from rag_server.domain.filter import Attributes
from rag_server.domain.job import Claim, DocumentCounts, JobKind, JobState
from rag_server.domain.texts import RejectedText, StandingText, TextItem, TextOutcome
from rag_server.ports import LeaseLost
from tests.contracts.ingesting import (
    batch_order,
    claim,
    finish,
    found_texts,
    ingest,
    ingested,
    order,
    prepared,
    stage,
    tick,
)
from tests.fakes.store_ports import StorePorts


async def claimed_job(store: StorePorts, kind: JobKind = JobKind.TEXTS) -> Claim:
    """A claim for a new job about several documents, which goes before all others."""
    asked = batch_order(kind, priority=9)
    await store.jobs.admit(asked, tick())
    claimed = await claim(store)
    assert claimed.job.order == asked
    return claimed


def standing(store: StorePorts, document: Document) -> Attributes:
    """The document as a filter sees it now."""
    changes = store.change_log.changes(0, 1_000)
    version_ids = [change.version_id for change in changes if change.document_id == document.document_id]
    return attributes_of(version_ids[-1], document)


async def test_texts_are_found_after_one_transaction_and_the_job_counts_them(store: StorePorts) -> None:
    await ingest(store, "b", "old")
    claimed = await claimed_job(store)
    counts = await store.batches.publish(claimed, 0, [prepared("a", "one two"), prepared("b", "three")], tick())
    assert counts == DocumentCounts(created=1, updated=1)
    assert sorted(found_texts(store)) == ["one", "three", "two"]
    kinds = [change.kind for change in store.change_log.changes(0, 10)]
    assert kinds == [ChangeKind.PUBLISHED] * 3
    sequence = await store.batches.finish(claimed, None, tick())
    job = await store.jobs.get(claimed.job.order.job_id)
    assert (job.state, job.sequence, job.result) == (JobState.SUCCEEDED, sequence, counts)
    assert (job.progress.documents_done, job.progress.documents_total, sequence) == (2, 2, 3)


async def test_a_text_is_a_document_with_what_was_sent_about_it(store: StorePorts) -> None:
    claimed = await claimed_job(store)
    text = prepared("a", "one two", title="A title", metadata_json='{"year":1}', tags=("x",))
    await store.batches.publish(claimed, 0, [text], tick())
    (document,) = await store.documents.list_documents("default", "", 9)
    assert (document.document_key, document.file_name, document.version) == ("a", "a", 1)
    assert (document.sha256, document.size_bytes, document.media_type) == (text.item.sha256, 7, "text/plain")
    assert (document.metadata_json, document.tags) == ('{"year":1}', ("x",))
    assert (document.properties, document.job_id) == ({"title": "A title"}, claimed.job.order.job_id)


async def test_a_batch_that_is_told_twice_counts_once(store: StorePorts) -> None:
    claimed = await claimed_job(store)
    texts: list[TextOutcome] = [prepared("a", "one"), RejectedText(TextItem("b", ""))]
    first = await store.batches.publish(claimed, 0, texts, tick())
    assert await store.batches.publish(claimed, 0, texts, tick()) == first == DocumentCounts(created=1, rejected=1)
    assert store.change_log.last_sequence() == 1


async def test_a_job_that_crashed_knows_what_it_has_done(store: StorePorts) -> None:
    claimed = await claimed_job(store)
    await store.batches.publish(claimed, 0, [prepared("a", "one")], tick())
    await store.slot.reclaim("slot-0", tick())
    again = await claim(store)
    assert again.job.result == DocumentCounts(created=1)
    counts = await store.batches.publish(again, 1, [prepared("b", "two")], tick())
    assert counts == DocumentCounts(created=2)


SENT = TextItem("a", "one", "A title", metadata_json='{"a":1,"b":2}', tags=("x", "y"))


@pytest.mark.parametrize(
    ("asked", "stands"),
    [
        (SENT, True),
        (TextItem("a", "one", metadata_json='{"b":2,"a":1.0}', tags=("y", "x")), True),
        (TextItem("a", "two", metadata_json=SENT.metadata_json, tags=SENT.tags), False),
        (TextItem("b", "one", metadata_json=SENT.metadata_json, tags=SENT.tags), False),
        (TextItem("a", "one", metadata_json='{"a":2}', tags=SENT.tags), False),
        (TextItem("a", "one", metadata_json=SENT.metadata_json, tags=("x",)), False),
        (TextItem("a", "one", "Another", metadata_json=SENT.metadata_json, tags=SENT.tags), False),
        (TextItem("a", "one", "", "text/markdown", SENT.metadata_json, SENT.tags), False),
    ],
)
async def test_a_text_stands_only_with_the_same_words_about_it(
    store: StorePorts, asked: TextItem, *, stands: bool
) -> None:
    claimed = await claimed_job(store)
    text = prepared("a", "one", title=SENT.title, metadata_json=SENT.metadata_json, tags=SENT.tags)
    await store.batches.publish(claimed, 0, [text], tick())
    assert await store.batches.standing(claimed, [asked]) == ({"a"} if stands else frozenset())


async def test_a_standing_text_keeps_out_what_was_asked_for_before_it(store: StorePorts) -> None:
    await ingested(store, "a", "one")
    older = order("a", "older", priority=0)
    await store.jobs.admit(older, tick())
    claimed = await claimed_job(store)
    counts = await store.batches.publish(claimed, 0, [StandingText(TextItem("a", "one"))], tick())
    assert counts == DocumentCounts(unchanged=1)
    await store.batches.finish(claimed, None, tick())
    assert await finish(store, await claim(store), "older") == 0
    assert found_texts(store) == ["one"]


async def test_a_delete_wins_over_a_job_from_before_it(store: StorePorts) -> None:
    document = await ingested(store, "a", "one")
    claimed = await claimed_job(store)
    await store.documents.delete(document.document_id, "default", tick())
    counts = await store.batches.publish(claimed, 0, [prepared("a", "two"), prepared("b", "three")], tick())
    assert counts == DocumentCounts(created=1, superseded=1)
    assert found_texts(store) == ["three"]


async def test_an_upload_after_a_job_wins_over_it_and_one_before_it_does_not(store: StorePorts) -> None:
    before = order("before", "old", priority=0)
    await store.jobs.admit(before, tick())
    asked = batch_order(JobKind.TEXTS, priority=1)
    await store.jobs.admit(asked, tick())
    await ingest(store, "after", "new")
    claimed = await claim(store)
    counts = await store.batches.publish(claimed, 0, [prepared("before", "text"), prepared("after", "text")], tick())
    assert counts == DocumentCounts(created=1, superseded=1)
    await store.batches.finish(claimed, None, tick())
    assert await finish(store, await claim(store), "old") == 0
    assert sorted(found_texts(store)) == ["new", "text"]


async def test_a_collection_that_was_deleted_does_not_come_back(store: StorePorts) -> None:
    await ingested(store, "a", "one")
    claimed = await claimed_job(store)
    await store.documents.delete_collection("default", tick())
    counts = await store.batches.publish(claimed, 0, [prepared("b", "two")], tick())
    assert counts == DocumentCounts(superseded=1)
    assert await store.documents.list_collections("", 9) == []


async def test_deleting_goes_by_the_version_that_was_looked_at(store: StorePorts) -> None:
    kept, gone = await ingested(store, "kept", "one"), await ingested(store, "gone", "two")
    looked_at = [standing(store, kept), standing(store, gone)]
    await ingest(store, "kept", "three")
    claimed = await claimed_job(store, JobKind.DELETE)
    assert await store.batches.delete(claimed, looked_at, tick()) == DocumentCounts(deleted=1)
    assert await store.batches.delete(claimed, looked_at, tick()) == DocumentCounts(deleted=1)
    assert found_texts(store) == ["three"]
    sequence = await store.batches.finish(claimed, None, tick())
    assert (store.change_log.last_sequence(), sequence) == (4, 4)
    assert store.change_log.changes(3, 9)[0].kind is ChangeKind.DELETED


async def test_what_was_asked_for_before_a_delete_does_not_come_back_and_what_came_after_stays(
    store: StorePorts,
) -> None:
    first, second = await ingested(store, "a", "one"), await ingested(store, "b", "two")
    before = order("a", "before", priority=0)
    await store.jobs.admit(before, tick())
    asked = batch_order(JobKind.DELETE, priority=0)
    await store.jobs.admit(asked, tick())
    after = order("a", "after", priority=0)
    await store.jobs.admit(after, tick())
    await ingest(store, "b", "newer")
    ahead = await claim(store)  # the job from before the delete
    await store.slot.release(ahead, tick())
    await store.jobs.cancel(before.job_id, tick())
    claimed = await claim(store)
    looked_at = [standing(store, first), standing(store, second)]
    assert await store.batches.delete(claimed, looked_at, tick()) == DocumentCounts(deleted=1)
    await store.batches.finish(claimed, None, tick())
    last = await claim(store)
    assert last.job.order == after
    await finish(store, last, "after")
    assert sorted(found_texts(store)) == ["after", "newer"]


async def test_a_delete_cancels_what_waits_for_the_document(store: StorePorts) -> None:
    document = await ingested(store, "a", "one")
    waiting = order("a", "two", priority=0)
    await store.jobs.admit(waiting, tick())
    claimed = await claimed_job(store, JobKind.DELETE)
    await store.batches.delete(claimed, [standing(store, document)], tick())
    assert (await store.jobs.get(waiting.job_id)).state is JobState.CANCELLED
    assert await store.staging.drop_retired(9) == 1


async def test_a_delete_that_finds_nothing_has_succeeded_without_a_change(store: StorePorts) -> None:
    claimed = await claimed_job(store, JobKind.DELETE)
    assert await store.batches.finish(claimed, None, tick()) == 0
    assert (await store.jobs.get(claimed.job.order.job_id)).state is JobState.SUCCEEDED


async def test_a_text_without_words_makes_the_success_partial(store: StorePorts) -> None:
    claimed = await claimed_job(store)
    await store.batches.publish(claimed, 0, [prepared("a", "one"), RejectedText(TextItem("b", ""))], tick())
    await store.batches.finish(claimed, Failure(FailureReason.NO_TEXT), tick())
    job = await store.jobs.get(claimed.job.order.job_id)
    assert (job.state, job.problem) == (JobState.SUCCEEDED_PARTIALLY, Failure(FailureReason.NO_TEXT))


async def test_a_lost_claim_changes_nothing(store: StorePorts) -> None:
    document = await ingested(store, "a", "one")
    zombie = await claimed_job(store)
    await store.slot.reclaim("slot-0", tick())
    for effect in (
        store.batches.standing(zombie, []),
        store.batches.publish(zombie, 0, [prepared("b", "two")], tick()),
        store.batches.delete(zombie, [standing(store, document)], tick()),
        store.batches.finish(zombie, None, tick()),
    ):
        with pytest.raises(LeaseLost):
            await effect
    assert found_texts(store) == ["one"]


async def test_the_vectors_of_a_text_are_taken_over_by_others(store: StorePorts) -> None:
    claimed = await claimed_job(store)
    text = prepared("a", "one")
    await store.batches.publish(claimed, 0, [text], tick())
    hashes = [text.chunks[0].chunk.content_hash]
    assert list(await store.staging.known_vectors(claimed, hashes)) == hashes


async def test_a_staged_version_of_a_later_upload_survives_a_delete(store: StorePorts) -> None:
    document = await ingested(store, "a", "one")
    asked = batch_order(JobKind.DELETE, priority=9)
    await store.jobs.admit(asked, tick())
    deleting = await claim(store)
    later = order("a", "later")
    await store.jobs.admit(later, tick())
    uploading = await claim(store)
    await stage(store, uploading, "later")
    await store.batches.delete(deleting, [standing(store, document)], tick())
    assert await finish(store, uploading, "later") > 0
    assert found_texts(store) == ["later"]
