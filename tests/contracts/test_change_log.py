"""What every implementation of the port ChangeLog does."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from rag_server.domain.document import ChangeKind, StagedChunk
from rag_server.domain.filter import Attributes
from tests.contracts.ingesting import (
    claim,
    finish,
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


async def test_a_new_log_is_empty(store: StorePorts) -> None:
    assert store.change_log.last_sequence() == 0
    assert store.change_log.changes(0, 9) == []
    assert store.change_log.current_chunk_ids().dtype == np.int64


async def test_changes_are_dense_and_read_in_pages(store: StorePorts) -> None:
    first = await ingested(store, "a", "one")
    await ingest(store, "b", "two")
    await store.documents.delete(first.document_id, "", tick())
    await ingest(store, "b", "three")
    changes = store.change_log.changes(0, 3) + store.change_log.changes(3, 3)
    assert [change.sequence for change in changes] == [1, 2, 3, 4]
    assert [change.kind for change in changes] == [
        ChangeKind.PUBLISHED,
        ChangeKind.PUBLISHED,
        ChangeKind.DELETED,
        ChangeKind.PUBLISHED,
    ]
    assert store.change_log.last_sequence() == 4


async def test_the_chunks_of_a_current_version_come_by_ordinal_with_their_vectors(store: StorePorts) -> None:
    job = await ingest(store, content="one two three")
    version_id = store.change_log.changes(0, 1)[0].version_id
    chunks = store.change_log.chunks_of([version_id], 1)[version_id]
    assert [chunk.text for chunk in chunks] == ["one", "two", "three"]
    assert {(chunk.collection, chunk.document_id, chunk.title) for chunk in chunks} == {
        ("default", job.document_id, "a.txt")
    }
    np.testing.assert_array_equal(chunks[2].vector, vector("three"))
    assert chunks[2].vector.dtype == np.float32


async def test_headings_pages_and_the_title_property_travel_with_the_chunks(store: StorePorts) -> None:
    await store.jobs.admit(order(), tick())
    claimed = await claim(store)
    version_id = await store.staging.begin(claimed)
    chunk = replace(staged_chunks("one")[0].chunk, headings=("Parte I", "Seção 2"), page_first=2, page_last=4)
    await store.staging.stage_chunks(claimed, version_id, [StagedChunk(chunk, vector("one"))])
    described = replace(summary("one"), properties={"title": "Relatório", "author": "A"})
    await store.staging.publish(claimed, version_id, described, None, tick())
    indexed = store.change_log.chunks_of([version_id], 1)[version_id][0]
    assert (indexed.headings, indexed.title) == (("Parte I", "Seção 2"), "Relatório")
    assert (indexed.page_first, indexed.page_last) == (2, 4)
    assert store.change_log.passages([indexed.chunk_id])[indexed.chunk_id].headings == ("Parte I", "Seção 2")


async def test_a_version_that_is_no_longer_current_has_no_chunks(store: StorePorts) -> None:
    await ingest(store, content="one")
    old = store.change_log.changes(0, 1)[0].version_id
    document = await ingested(store, content="two")
    assert store.change_log.chunks_of([old], 1)[old] == []
    new = store.change_log.changes(1, 1)[0].version_id
    assert len(store.change_log.chunks_of([new], 1)[new]) == 1
    await store.documents.delete(document.document_id, "", tick())
    assert store.change_log.chunks_of([new], 1)[new] == []


async def test_a_change_carries_its_moment_and_is_told_from_any_other_by_its_mark(store: StorePorts) -> None:
    await store.jobs.admit(order(), tick())
    claimed = await claim(store)
    version_id = await stage(store, claimed, "one")
    await store.staging.publish(claimed, version_id, summary("one"), None, 1_700_000_000.123456)
    (change,) = store.change_log.changes(0, 1)
    assert change.change_time == 1_700_000_000.123456
    assert store.change_log.changes(0, 1)[0].mark == change.mark
    other = replace(change, change_time=1_700_000_000.123457)
    assert other.mark != change.mark


async def test_the_chunks_of_several_versions_come_up_to_a_number(store: StorePorts) -> None:
    await ingest(store, "a", "one two")
    await ingest(store, "b", "three")
    await ingest(store, "c", "four five")
    ids = [change.version_id for change in store.change_log.changes(0, 9)]
    wanted = [ids[2], ids[0], ids[1]]
    texts = {
        version_id: [chunk.text for chunk in chunks]
        for version_id, chunks in store.change_log.chunks_of(wanted, 3).items()
    }
    assert texts == {ids[2]: ["four", "five"], ids[0]: ["one", "two"]}
    assert set(store.change_log.chunks_of(wanted, 5)) == set(wanted)
    assert list(store.change_log.chunks_of(wanted, 1)) == wanted[:1]


async def test_the_log_grows_while_a_job_waits_or_runs(store: StorePorts) -> None:
    assert not store.change_log.is_growing()
    await store.jobs.admit(order("a"), tick())
    assert store.change_log.is_growing()
    claimed = await claim(store)
    assert store.change_log.is_growing()
    await finish(store, claimed, "one")
    assert not store.change_log.is_growing()


async def test_a_staged_version_has_no_chunks_to_show(store: StorePorts) -> None:
    await store.jobs.admit(order(), tick())
    claimed = await claim(store)
    version_id = await store.staging.begin(claimed)
    await store.staging.stage_chunks(claimed, version_id, staged_chunks("one"))
    assert store.change_log.chunks_of([version_id], 1)[version_id] == []
    assert store.change_log.current_chunk_ids().size == 0


async def test_passages_say_where_a_chunk_stands(store: StorePorts) -> None:
    await ingest(store, "papers/a.txt", "one")
    document = await ingested(store, "papers/a.txt", "two three")
    ids = [int(chunk_id) for chunk_id in store.change_log.current_chunk_ids()]
    passage = store.change_log.passages(ids)[ids[1]]
    assert (passage.text, passage.char_start, passage.char_end) == ("three", 4, 9)
    assert (passage.document_id, passage.document_key, passage.file_name, passage.document_version) == (
        document.document_id,
        "papers/a.txt",
        "a.txt",
        2,
    )
    assert (passage.collection, passage.page_first, passage.page_last) == ("default", 1, 1)


async def test_a_stale_chunk_id_is_missing_and_never_used_again(store: StorePorts) -> None:
    await ingest(store, content="one")
    stale = [int(chunk_id) for chunk_id in store.change_log.current_chunk_ids()]
    await ingest(store, content="two")
    await store.staging.drop_retired(9)
    await ingest(store, "b.txt", "three")
    assert store.change_log.passages([*stale, 10**12]) == {}
    assert not set(stale) & set(store.change_log.current_chunk_ids().tolist())


async def test_what_was_not_published_leaves_no_gap(store: StorePorts) -> None:
    await store.jobs.admit(order(content="old", priority=0), tick())
    await store.jobs.admit(order(content="new", priority=9), tick())
    await finish(store, await claim(store), "new")
    assert await finish(store, await claim(store), "old") == 0
    await ingest(store, "b")
    assert [change.sequence for change in store.change_log.changes(0, 9)] == [1, 2]


async def test_attributes_tell_what_filters_ask_of_a_current_version(store: StorePorts) -> None:
    asked = replace(
        order("atas/a.txt"), tags=("ata", "obra"), metadata_json='{"year":2024,"who":{"name":"Ana"},"open":true}'
    )
    await store.jobs.admit(asked, 2_000_000.0)
    claimed = await claim(store, 2_000_001.0)
    version_id = await stage(store, claimed, "one")
    properties = {"language": "pt-BR", "created": "2024-02-29T10:15:00-03:00", "modified": "long ago"}
    described = replace(summary("one"), media_type="Text/Plain; charset=utf-8", properties=properties)
    await store.staging.publish(claimed, version_id, described, None, 2_000_002.0)
    document = (await store.documents.list_documents("default", "", 1))[0]
    assert store.change_log.attributes_of([version_id, 10**12]) == {
        version_id: Attributes(
            version_id=version_id,
            collection="default",
            document_id=document.document_id,
            document_key="atas/a.txt",
            file_name="a.txt",
            media_type="text/plain",
            language="pt",
            tags=("ata", "obra"),
            create_time=2_000_002.0,
            update_time=2_000_002.0,
            created=datetime(2024, 2, 29, 13, 15, tzinfo=UTC).timestamp(),
            modified=None,
            metadata={"year": 2024.0, "who": {"name": "Ana"}, "open": True},
        )
    }


async def test_only_current_versions_have_attributes_and_are_listed(store: StorePorts) -> None:
    await ingest(store, "a.txt", "one")
    document = await ingested(store, "a.txt", "two")
    await ingest(store, "b.txt", "three")
    published = [change.version_id for change in store.change_log.changes(0, 9)]
    assert store.change_log.current_version_ids().tolist() == published[1:]
    assert store.change_log.attributes_of(published).keys() == set(published[1:])
    await store.documents.delete(document.document_id, "", tick())
    assert store.change_log.current_version_ids().tolist() == published[2:]
    assert store.change_log.current_version_ids().dtype == np.int64


async def test_chunks_and_passages_name_their_version(store: StorePorts) -> None:
    await ingest(store, content="one two")
    (version_id,) = store.change_log.current_version_ids().tolist()
    assert {chunk.version_id for chunk in store.change_log.chunks_of([version_id], 1)[version_id]} == {version_id}
    passages = store.change_log.passages(store.change_log.current_chunk_ids().tolist())
    assert [passage.version_id for passage in passages.values()] == [version_id] * 2
