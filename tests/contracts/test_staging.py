"""What every implementation of the port Staging does."""

from dataclasses import replace

import numpy as np
import pytest

from rag_server.domain.document import ChangeKind, WholeVersion
from rag_server.domain.failure import Failure, FailureReason
from rag_server.domain.job import IngestOutcome, JobStage, JobState, Progress
from tests.contracts.ingesting import (
    LEASE_S,
    claim,
    finish,
    found_texts,
    ingest,
    ingested,
    order,
    stage,
    staged_chunks,
    summary,
    tick,
    vector,
)
from tests.fakes.store_ports import StorePorts

CORRUPT = Failure(FailureReason.CORRUPT)


async def test_publishing_makes_a_document_findable_and_ends_the_job(store: StorePorts) -> None:
    asked = order(content="one two")
    await store.jobs.admit(asked, tick())
    claimed = await claim(store)
    await store.slot.heartbeat(claimed, Progress(JobStage.PUBLISHING), tick(), LEASE_S)
    running = await store.jobs.get(asked.job_id)
    version_id = await stage(store, claimed, "one two")
    assert found_texts(store) == []
    sequence = await store.staging.publish(claimed, version_id, summary("one two"), None, 5e5)
    job = await store.jobs.get(asked.job_id)
    assert (job.state, job.outcome, job.sequence) == (JobState.SUCCEEDED, IngestOutcome.CREATED, sequence)
    assert (job.document_version, job.end_time, job.update_time) == (1, 5e5, 5e5)
    assert job.revision == running.revision + 2
    assert job.progress == Progress(None, 1, 1, 2, 2)
    assert found_texts(store) == ["one", "two"]


def whole(content: str, problem: Failure | None = None) -> WholeVersion:
    return WholeVersion([(1, 0, content)], staged_chunks(content), summary(content), problem)


async def test_a_small_version_is_staged_and_published_at_once(store: StorePorts) -> None:
    asked = order(content="one two")
    await store.jobs.admit(asked, tick())
    claimed = await claim(store)
    running = await store.jobs.get(asked.job_id)
    sequence = await store.staging.publish_whole(claimed, whole("one two", CORRUPT), 5e5)
    job = await store.jobs.get(asked.job_id)
    assert (job.state, job.outcome, job.problem) == (JobState.SUCCEEDED_PARTIALLY, IngestOutcome.CREATED, CORRUPT)
    assert (job.sequence, job.revision, job.end_time) == (sequence, running.revision + 2, 5e5)
    assert found_texts(store) == ["one", "two"]
    assert [change.kind for change in store.change_log.changes(0, 9)] == [ChangeKind.PUBLISHED]
    _, pages = await store.contents.text(job.document_id, "", 0, 99)
    assert [page.text for page in pages] == ["one two"]


async def test_a_small_version_replaces_the_one_before(store: StorePorts) -> None:
    old = await ingested(store, content="one two")
    asked = order(content="three")
    await store.jobs.admit(asked, tick())
    await store.staging.publish_whole(await claim(store), whole("three"), tick())
    job = await store.jobs.get(asked.job_id)
    assert (job.outcome, job.document_id, job.document_version) == (IngestOutcome.UPDATED, old.document_id, 2)
    assert found_texts(store) == ["three"]


async def test_a_small_version_takes_the_place_of_what_an_attempt_before_it_staged(store: StorePorts) -> None:
    await store.jobs.admit(order(content="one two"), tick())
    await stage(store, await claim(store), "from an earlier attempt")
    await store.slot.reclaim("slot-0", tick())
    await store.staging.publish_whole(await claim(store), whole("one two"), tick())
    assert found_texts(store) == ["one", "two"]
    assert await store.staging.drop_retired(9) == 4


async def test_a_small_version_that_is_not_wanted_any_more_is_not_published(store: StorePorts) -> None:
    asked = order()
    await store.jobs.admit(asked, tick())
    claimed = await claim(store)
    await store.jobs.cancel(asked.job_id, tick())
    assert await store.staging.publish_whole(claimed, whole("one"), tick()) == 0
    assert (await store.jobs.get(asked.job_id)).state is JobState.CANCELLED
    assert (found_texts(store), store.change_log.last_sequence()) == ([], 0)


async def test_other_bytes_make_a_new_version_and_the_old_is_no_longer_found(store: StorePorts) -> None:
    old = await ingested(store, content="one two")
    asked = order(content="three")
    await store.jobs.admit(asked, tick())
    claimed = await claim(store)
    version_id = await stage(store, claimed, "three")
    assert found_texts(store) == ["one", "two"]
    await store.staging.publish(claimed, version_id, summary("three"), None, tick())
    assert found_texts(store) == ["three"]
    new = await store.documents.get(old.document_id)
    assert (new.version, new.create_time, new.job_id) == (2, old.create_time, asked.job_id)
    assert (await store.jobs.get(asked.job_id)).outcome is IngestOutcome.UPDATED


async def test_a_success_with_a_problem_is_partial(store: StorePorts) -> None:
    asked = order()
    await store.jobs.admit(asked, tick())
    await finish(store, await claim(store), "one", problem=CORRUPT)
    job = await store.jobs.get(asked.job_id)
    assert (job.state, job.problem, job.failure) == (JobState.SUCCEEDED_PARTIALLY, CORRUPT, None)
    assert found_texts(store) == ["one"]


async def test_what_was_asked_for_last_wins_whatever_ends_last(store: StorePorts) -> None:
    older = order(content="old", priority=0)
    await store.jobs.admit(older, tick())
    newer = order(content="new", priority=9)
    await store.jobs.admit(newer, tick())
    await finish(store, await claim(store), "new")
    sequence = await finish(store, await claim(store), "old")
    assert sequence == 0
    job = await store.jobs.get(older.job_id)
    assert (job.state, job.sequence, job.document_id) == (JobState.CANCELLED, 0, "")
    assert found_texts(store) == ["new"]
    assert store.change_log.last_sequence() == 1


async def test_a_job_that_is_to_be_cancelled_does_not_publish(store: StorePorts) -> None:
    asked = order()
    await store.jobs.admit(asked, tick())
    claimed = await claim(store)
    await store.jobs.cancel(asked.job_id, tick())
    assert await finish(store, claimed, "one") == 0
    assert (await store.jobs.get(asked.job_id)).state is JobState.CANCELLED
    assert found_texts(store) == []
    assert await store.staging.drop_retired(9) == 1


async def test_a_version_that_is_not_whole_is_not_published(store: StorePorts) -> None:
    await store.jobs.admit(order(), tick())
    claimed = await claim(store)
    version_id = await store.staging.begin(claimed)
    await store.staging.stage_chunks(claimed, version_id, staged_chunks("one two three")[1:])
    with pytest.raises(ValueError, match=r"version|whole"):
        await store.staging.publish(claimed, version_id, summary("one two three"), None, tick())
    assert (await store.jobs.get(claimed.job.order.job_id)).state is JobState.RUNNING
    assert (store.change_log.last_sequence(), found_texts(store)) == (0, [])


async def test_a_job_that_crashed_goes_on_with_what_it_staged(store: StorePorts) -> None:
    await store.jobs.admit(order(content="one two"), tick())
    first = await claim(store)
    version_id = await store.staging.begin(first)
    await store.staging.stage_chunks(first, version_id, staged_chunks("one two three four"))
    await store.slot.reclaim("slot-0", tick())
    second = await claim(store)
    assert await store.staging.begin(second) == version_id
    # Chunks beyond the end were staged by an attempt that cut the text otherwise.
    await store.staging.publish(second, version_id, summary("one two"), None, tick())
    assert found_texts(store) == ["one", "two"]


async def test_a_chunk_staged_again_replaces_the_one_before(store: StorePorts) -> None:
    await store.jobs.admit(order(), tick())
    claimed = await claim(store)
    version_id = await stage(store, claimed, "one two")
    await store.staging.stage_chunks(claimed, version_id, staged_chunks("six"))
    await store.staging.publish(claimed, version_id, summary("six two"), None, tick())
    assert sorted(found_texts(store)) == ["six", "two"]


async def test_vectors_are_known_within_a_collection_by_what_they_were_made_from(store: StorePorts) -> None:
    await ingest(store, content="one two")
    await ingest(store, content="elsewhere", collection="other")
    await store.jobs.admit(order("b.txt"), tick())
    claimed = await claim(store)
    hashes = [staged.chunk.content_hash for staged in staged_chunks("one two elsewhere new")]
    known = await store.staging.known_vectors(claimed, hashes)
    assert list(known) == hashes[:2]
    np.testing.assert_array_equal(known[hashes[1]], vector("two"))


async def test_staged_and_replaced_chunks_are_a_cache(store: StorePorts) -> None:
    await ingest(store, content="one")
    await ingest(store, content="two")
    await store.jobs.admit(order("b.txt"), tick())
    claimed = await claim(store)
    await stage(store, claimed, "three")
    hashes = [staged.chunk.content_hash for staged in staged_chunks("one two three")]
    assert set(await store.staging.known_vectors(claimed, hashes)) == set(hashes)


async def test_erasing_a_document_erases_its_cache(store: StorePorts) -> None:
    document = await ingested(store, content="one")
    await ingest(store, content="two")
    await store.jobs.admit(order(content="three"), tick())
    dead = await claim(store)
    await stage(store, dead, "three")
    await store.slot.defer(dead, CORRUPT, tick(), tick())
    await store.documents.delete(document.document_id, "", tick())
    await store.jobs.admit(order("b.txt"), tick())
    hashes = [staged.chunk.content_hash for staged in staged_chunks("one two three")]
    assert await store.staging.known_vectors(await claim(store), hashes) == {}


async def test_dropping_what_can_no_longer_be_found_goes_in_steps(store: StorePorts) -> None:
    await ingest(store, content="a b c")
    await ingest(store, content="d e")
    assert [await store.staging.drop_retired(2) for _ in range(3)] == [2, 1, 0]
    assert found_texts(store) == ["d", "e"]


async def test_the_oldest_chunks_are_dropped_first_and_the_rest_stay_known(store: StorePorts) -> None:
    await ingest(store, content="a b c")
    await ingest(store, content="d e")
    await ingest(store, content="f")
    assert await store.staging.drop_retired(4) == 4
    await store.jobs.admit(order("b.txt"), tick())
    hashes = [staged.chunk.content_hash for staged in staged_chunks("a b c d e f")]
    assert set(await store.staging.known_vectors(await claim(store), hashes)) == set(hashes[4:])


async def test_unchanged_ends_the_job_only_where_the_bytes_stand(store: StorePorts) -> None:
    first = order(content="one")
    second = order(content="one")
    for asked in (first, second):
        await store.jobs.admit(asked, tick())
    claimed = await claim(store)
    assert await store.staging.unchanged(claimed, tick()) is False
    await finish(store, claimed, "one")
    again = await claim(store)
    before = await store.jobs.get(second.job_id)
    assert await store.staging.unchanged(again, tick()) is True
    job = await store.jobs.get(second.job_id)
    assert (job.state, job.outcome, job.sequence) == (JobState.SUCCEEDED, IngestOutcome.UNCHANGED, 1)
    assert job.revision == before.revision + 2
    assert [change.kind for change in store.change_log.changes(0, 9)] == [ChangeKind.PUBLISHED]


async def test_bytes_that_an_earlier_job_is_to_replace_are_not_unchanged(store: StorePorts) -> None:
    await ingest(store, content="one")
    await store.jobs.admit(order(content="two", priority=0), tick())
    await store.jobs.admit(order(content="one", priority=9), tick())
    claimed = await claim(store)
    assert await store.staging.unchanged(claimed, tick()) is False
    await finish(store, claimed, "one")
    assert await finish(store, await claim(store), "two") == 0
    assert found_texts(store) == ["one"]


@pytest.mark.parametrize(
    ("metadata", "tags", "changes"),
    [
        ("{}", (), False),
        ('{"b":2,"a":1.0}', ("y", "x"), False),
        ('{"a":1}', (), True),
        ("{}", ("x",), True),
    ],
)
async def test_the_same_bytes_with_other_words_about_them_are_a_new_version(
    store: StorePorts, metadata: str, tags: tuple[str, ...], *, changes: bool
) -> None:
    first = replace(order("a"), metadata_json='{"a":1,"b":2}', tags=("x", "y"))
    await store.jobs.admit(first, tick())
    await finish(store, await claim(store), "one")
    asked = replace(order("a"), metadata_json=metadata, tags=tags)
    assert (await store.jobs.admit(asked, tick())).ended is not changes
    if changes:
        await finish(store, await claim(store), "one")
    document = await store.documents.get((await store.jobs.get(asked.job_id)).document_id)
    assert document.version == (2 if changes else 1)
    assert (document.metadata_json, document.tags) == (
        (metadata, tags) if changes else (first.metadata_json, first.tags)
    )
