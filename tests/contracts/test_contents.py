"""What every implementation of the port Contents does."""

from collections.abc import Awaitable

import pytest

from rag_server.domain.content import Place, TextPage
from rag_server.domain.errors import CollectionNotFound, DocumentNotFound
from rag_server.domain.filter import Comparison, Condition, Field
from rag_server.domain.job import JobKind
from tests.contracts.ingesting import (
    batch_order,
    claim,
    ingest,
    ingested,
    order,
    prepared,
    staged_chunks,
    summary,
    tick,
)
from tests.fakes.store_ports import StorePorts

WORDS = "zero one two three four"


async def test_standing_documents_come_by_key_with_what_filters_tell_of_them(store: StorePorts) -> None:
    for key in ("c", "a", "b"):
        await ingest(store, key)
    await ingest(store, "other", collection="other")
    first = await store.contents.standing_after("default", "", 2)
    rest = await store.contents.standing_after("default", first[-1].document.document_key, 2)
    assert [one.document.document_key for one in [*first, *rest]] == ["a", "b", "c"]
    assert first[0].attributes.document_key == "a"
    assert first[0].meets(Condition(Field.FILE_NAME, Comparison.EQUAL, "a"))
    assert not first[0].meets(Condition(Field.PAGE, Comparison.GREATER, 1.0))
    changes = store.change_log.changes(0, 9)
    assert {one.version_id for one in [*first, *rest]} <= {change.version_id for change in changes}
    with pytest.raises(CollectionNotFound):
        await store.contents.standing_after("none", "", 9)


async def test_chunks_come_in_order_from_any_of_them(store: StorePorts) -> None:
    document = await ingested(store, "a", WORDS)
    told, chunks = await store.contents.chunks_from(document.document_id, "", 1, 3)
    assert (told, [chunk.text for chunk in chunks]) == (document, ["one", "two", "three"])
    assert list(chunks) == [staged.chunk for staged in staged_chunks(WORDS)][1:4]


@pytest.mark.parametrize(
    ("place", "found"),
    [
        (Place(9, 12, 0, 0), ["two"]),
        (Place(9, 12, 1, 2), ["one", "two", "three", "four"]),
        (Place(6, 14, 0, 0), ["one", "two", "three"]),
        (Place(8, 9, 0, 1), ["one", "two"]),  # the space between two of them
        (Place(0, 1, 5, 0), ["zero"]),
        (Place(900, 901, 1, 1), ["three", "four"]),
    ],
)
async def test_a_citation_is_shown_among_its_neighbours(store: StorePorts, place: Place, found: list[str]) -> None:
    document = await ingested(store, "a", WORDS)
    _, chunks = await store.contents.chunks_around(document.document_id, "default", place)
    assert [chunk.text for chunk in chunks] == found


async def test_text_is_read_by_code_points_with_its_pages(store: StorePorts) -> None:
    asked = order("a", "ção 😀")
    await store.jobs.admit(asked, tick())
    claimed = await claim(store)
    version_id = await store.staging.begin(claimed)
    await store.staging.stage_text(claimed, version_id, [(1, 0, "ção\n\n"), (4, 5, "😀 dois")])
    await store.staging.stage_chunks(claimed, version_id, staged_chunks("one"))
    await store.staging.publish(claimed, version_id, summary("one"), None, tick())
    document_id = (await store.jobs.get(asked.job_id)).document_id

    async def text(start: int, end: int) -> list[TextPage]:
        return list((await store.contents.text(document_id, "", start, end))[1])

    assert await text(0, 99) == [TextPage(1, 0, "ção\n\n"), TextPage(4, 5, "😀 dois")]
    assert await text(1, 6) == [TextPage(1, 1, "ão\n\n"), TextPage(4, 5, "😀")]
    assert await text(6, 8) == [TextPage(4, 6, " d")]
    assert await text(99, 100) == []


async def test_the_versions_of_a_document_are_told_the_newest_first(store: StorePorts) -> None:
    jobs = [await ingest(store, "a", content) for content in ("one", "one two", "one two three")]
    document_id = jobs[0].document_id
    versions = await store.contents.versions(document_id, "", 0, 9)
    assert [(one.number, one.chunk_count, one.is_current) for one in versions] == [
        (3, 3, True),
        (2, 2, False),
        (1, 1, False),
    ]
    assert [one.job_id for one in versions] == [job.order.job_id for job in reversed(jobs)]
    assert [one.publish_time for one in versions] == [job.end_time for job in reversed(jobs)]
    assert [one.sha256 for one in versions] == [job.order.sha256 for job in reversed(jobs)]
    assert await store.contents.versions(document_id, "", 3, 1) == versions[1:2]
    while await store.staging.drop_retired(99):
        pass
    assert await store.contents.versions(document_id, "", 0, 9) == versions


async def test_a_hundred_versions_are_kept_and_none_of_a_deleted_document(store: StorePorts) -> None:
    for number in range(103):
        job = await ingest(store, "a", f"one {number}")
    versions = await store.contents.versions(job.document_id, "", 0, 200)
    assert (len(versions), versions[-1].number) == (100, 4)
    await store.documents.delete(job.document_id, "", tick())
    anew = await ingested(store, "a", "anew")
    assert [one.number for one in await store.contents.versions(anew.document_id, "", 0, 9)] == [1]
    with pytest.raises(DocumentNotFound):
        await store.contents.versions(job.document_id, "", 0, 9)


async def test_the_origin_of_a_text_is_the_file_that_it_came_in(store: StorePorts) -> None:
    document = await ingested(store, "file", "one")
    assert await store.contents.origin(document.document_id, "") == (document, "")
    asked = batch_order(JobKind.TEXTS)
    await store.jobs.admit(asked, tick())
    claimed = await claim(store)
    await store.batches.publish(claimed, 0, [prepared("a", "one")], tick())
    (text, _) = await store.documents.list_documents("default", "", 2)
    assert await store.contents.origin(text.document_id, "default") == (text, asked.sha256)


async def test_a_document_that_is_not_there_holds_nothing(store: StorePorts) -> None:
    document = await ingested(store, "a", "one")
    contents = store.contents

    def calls(document_id: str, collection: str) -> list[Awaitable[object]]:
        return [
            contents.chunks_from(document_id, collection, 0, 1),
            contents.chunks_around(document_id, collection, Place(0, 1, 0, 0)),
            contents.text(document_id, collection, 0, 1),
            contents.versions(document_id, collection, 0, 1),
            contents.origin(document_id, collection),
        ]

    for call in [*calls("none", ""), *calls(document.document_id, "other")]:
        with pytest.raises(DocumentNotFound):
            await call
