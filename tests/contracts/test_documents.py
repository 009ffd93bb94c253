"""What every implementation of the port Documents does."""

import pytest

from rag_server.domain.document import Change, ChangeKind, Collection
from rag_server.domain.errors import CollectionNotFound, DocumentNotFound
from rag_server.domain.job import JobState
from tests.contracts.ingesting import claim, finish, found_texts, ingest, ingested, order, stage, tick
from tests.fakes.store_ports import StorePorts


async def test_a_document_tells_what_was_sent_and_read(store: StorePorts) -> None:
    job = await ingest(store, "papers/a.txt", "one two")
    document = await store.documents.get(job.document_id)
    assert (document.collection, document.document_key, document.file_name) == ("default", "papers/a.txt", "a.txt")
    assert (document.sha256, document.size_bytes) == (job.order.sha256, 7)
    assert (document.chunk_count, document.char_count, document.page_count, document.page_total) == (2, 7, 1, 1)
    assert (document.version, document.sequence, document.job_id) == (1, job.sequence, job.order.job_id)
    assert document.create_time == document.update_time == job.end_time


async def test_a_document_is_found_in_its_own_collection_or_in_any(store: StorePorts) -> None:
    document = await ingested(store)
    assert await store.documents.get(document.document_id, "default") == document
    for document_id, collection in ((document.document_id, "other"), ("no", "")):
        with pytest.raises(DocumentNotFound):
            await store.documents.get(document_id, collection)
        with pytest.raises(DocumentNotFound):
            await store.documents.delete(document_id, collection, tick())


async def test_documents_are_listed_by_key_in_pages(store: StorePorts) -> None:
    for key in ("b", "ç", "a", "B", "a/b"):
        await ingest(store, key)
    await ingest(store, "c", collection="other")
    first = await store.documents.list_documents("default", "", 3)
    rest = await store.documents.list_documents("default", first[-1].document_key, 3)
    assert [document.document_key for document in first + rest] == ["B", "a", "a/b", "b", "ç"]


async def test_collections_are_made_by_their_first_document_and_counted(store: StorePorts) -> None:
    await ingest(store, "a", "one two", collection="beta")
    await ingest(store, "b", "one", collection="beta")
    await ingest(store, "a", "one", collection="alpha")
    alpha, beta = await store.documents.list_collections("", 9)
    assert (alpha.collection, alpha.document_count, alpha.chunk_count) == ("alpha", 1, 1)
    assert (beta.collection, beta.document_count, beta.chunk_count) == ("beta", 2, 3)
    assert await store.documents.list_collections("alpha", 9) == [beta]
    assert await store.documents.list_collections("", 1) == [alpha]
    assert await store.documents.get_collection("beta") == beta


async def test_an_unknown_collection_is_not_found(store: StorePorts) -> None:
    await store.jobs.admit(order(collection="soon"), tick())
    for call in (
        store.documents.get_collection("soon"),
        store.documents.list_documents("soon", "", 9),
        store.documents.delete_collection("soon", tick()),
    ):
        with pytest.raises(CollectionNotFound):
            await call


async def test_a_deleted_document_is_gone_and_its_collection_stays(store: StorePorts) -> None:
    document = await ingested(store, content="one two")
    now = tick()
    sequence = await store.documents.delete(document.document_id, "default", now)
    assert found_texts(store) == []
    with pytest.raises(DocumentNotFound):
        await store.documents.get(document.document_id)
    (change,) = store.change_log.changes(1, 9)
    assert change == Change(sequence, ChangeKind.DELETED, "default", document.document_id, 0, change_time=now)
    collection = await store.documents.get_collection("default")
    assert (collection.document_count, collection.chunk_count) == (0, 0)
    assert await store.staging.drop_retired(9) == 2


async def test_a_deleted_document_cannot_be_deleted_again(store: StorePorts) -> None:
    document = await ingested(store)
    await store.documents.delete(document.document_id, "", tick())
    with pytest.raises(DocumentNotFound):
        await store.documents.delete(document.document_id, "", tick())
    assert store.change_log.last_sequence() == 2


async def test_an_upload_after_a_delete_makes_a_new_document(store: StorePorts) -> None:
    old = await ingested(store, content="one")
    await store.documents.delete(old.document_id, "", tick())
    new = await ingested(store, content="one")
    assert new.document_id != old.document_id
    assert (new.version, found_texts(store)) == (1, ["one"])


async def test_a_delete_cancels_the_jobs_of_the_same_key_only(store: StorePorts) -> None:
    document = await ingested(store, content="one")
    running = await store.jobs.admit(order(content="two"), tick())
    claimed = await claim(store)
    queued = await store.jobs.admit(order(content="three"), tick())
    other = await store.jobs.admit(order("b.txt"), tick())
    await store.documents.delete(document.document_id, "", tick())
    assert (await store.jobs.get(queued.order.job_id)).state is JobState.CANCELLED
    assert (await store.jobs.get(running.order.job_id)).cancel_requested
    assert (await store.jobs.get(other.order.job_id)).state is JobState.QUEUED
    assert await finish(store, claimed, "two") == 0
    assert found_texts(store) == []


async def test_an_upload_after_a_delete_wins_over_a_job_from_before_it(store: StorePorts) -> None:
    document = await ingested(store, content="one")
    await store.jobs.admit(order(content="two"), tick())
    before = await claim(store)
    await store.documents.delete(document.document_id, "", tick())
    after = order(content="three")
    await store.jobs.admit(after, tick())
    assert await finish(store, before, "two") == 0
    await finish(store, await claim(store), "three")
    assert found_texts(store) == ["three"]


async def test_a_deleted_collection_is_gone_with_all_in_it(store: StorePorts) -> None:
    await ingest(store, "a", "one two")
    await ingest(store, "b", "three")
    await ingest(store, "a", "kept", collection="other")
    queued = await store.jobs.admit(order("c"), tick())
    assert await store.documents.delete_collection("default", tick()) == (5, 2)
    assert found_texts(store) == ["kept"]
    assert [change.kind for change in store.change_log.changes(3, 9)] == [ChangeKind.DELETED] * 2
    assert (await store.jobs.get(queued.order.job_id)).state is JobState.CANCELLED
    assert [c.collection for c in await store.documents.list_collections("", 9)] == ["other"]
    with pytest.raises(CollectionNotFound):
        await store.documents.delete_collection("default", tick())


async def test_a_job_from_before_its_collection_was_deleted_does_not_bring_it_back(store: StorePorts) -> None:
    await ingest(store, "a")
    await store.jobs.admit(order("b", "two"), tick())
    claimed = await claim(store)
    await stage(store, claimed, "two")
    await store.documents.delete_collection("default", tick())
    assert await finish(store, claimed, "two") == 0
    assert await store.documents.list_collections("", 9) == []
    assert (await ingest(store, "b", "two")).document_version == 1
    assert await store.documents.list_collections("", 9) == [
        Collection("default", 1, 1, (await store.documents.get_collection("default")).create_time)
    ]


async def test_an_empty_collection_can_be_deleted(store: StorePorts) -> None:
    document = await ingested(store)
    sequence = await store.documents.delete(document.document_id, "", tick())
    assert await store.documents.delete_collection("default", tick()) == (sequence, 0)
