"""Segments on PostgreSQL, from asking for one to having another in its place."""

import asyncio
from dataclasses import replace

import numpy as np

from rag_server.adapters.postgres.integrity import PostgresIntegrity
from rag_server.adapters.postgres.references import PostgresReferences
from rag_server.domain.document import ChangeKind
from rag_server.domain.job import JobKind, JobState, Order
from rag_server.segment_ports import BuiltSegment
from storage.blobs import Blob
from storage.postgres import PostgresDatabase
from tests.contracts.ingesting import claim, ingest, order, tick, vector
from tests.fakes.store_ports import StorePorts


def _maintenance() -> Order:
    return replace(order(""), kind=JobKind.MAINTENANCE, sha256="", size_bytes=0, file_name="")


async def test_one_job_at_a_time_is_asked_for(store: StorePorts) -> None:
    assert sum(await asyncio.gather(*(store.segments.ask(_maintenance(), tick()) for _ in range(8)))) == 1
    assert await store.slot.documents_wait(tick()) is False
    await claim(store)
    assert await store.segments.ask(_maintenance(), tick()) is False


async def test_what_stands_is_read_and_a_segment_takes_the_place_of_another(
    store: StorePorts, database: PostgresDatabase
) -> None:
    await ingest(store, "a", "one two")
    await ingest(store, "b", "three")
    await ingest(store, "a", "elsewhere", collection="other")
    ids = np.concatenate([portion async for portion in store.segments.living("default")])
    rows = await store.segments.rows(ids)
    assert rows.vectors.shape == (3, 8)
    np.testing.assert_array_equal(rows.vectors[2], vector("three"))
    assert (await store.segments.rows(np.array([10**12]))).document_ids == []
    for number, replaced in ((1, []), (2, [1])):
        assert await store.segments.ask(_maintenance(), tick())
        claimed, now = await claim(store), tick()
        built = BuiltSegment(Blob(f"{number}" * 64, 5), 3)
        sequence = await store.segments.publish(claimed, built, replaced, now)
        assert await store.segments.publish(claimed, built, replaced, now) == sequence == 3 + number
        assert (await store.jobs.get(claimed.job.order.job_id)).state is JobState.SUCCEEDED
    assert [segment.sha256[0] for segment in await store.segments.current("default")] == ["2"]
    change = store.change_log.changes(4, 1)[0]
    assert change.kind is ChangeKind.SEGMENT
    assert store.change_log.segment(change.segment_id) == (await store.segments.current("default"))[0]
    assert store.change_log.segment(1) is None
    references = PostgresReferences(database)
    assert [await asyncio.to_thread(references.wanted, number * 64) for number in ("1", "2")] == [False, True]
    assert all(invariant.ok for invariant in await PostgresIntegrity(database, 0.0).check())
