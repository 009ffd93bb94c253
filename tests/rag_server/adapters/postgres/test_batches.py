"""What batches lock."""

import asyncio
from dataclasses import replace

import pytest

from rag_server.adapters.postgres.batches import MOST_LOCKS
from rag_server.adapters.postgres.integrity import PostgresIntegrity
from rag_server.domain.job import Claim, JobKind
from rag_server.domain.texts import PreparedText, TextItem
from storage.postgres import PostgresDatabase
from tests.contracts.ingesting import LEASE_S, order, staged_chunks, summary, tick
from tests.fakes.store_ports import StorePorts


def _text(key: str) -> PreparedText:
    return PreparedText(
        TextItem(key, "one two"), summary("one two"), ((1, 0, "one two"),), tuple(staged_chunks("one two"))
    )


async def _claimed(store: StorePorts, slot: str) -> Claim:
    await store.jobs.admit(replace(order(""), kind=JobKind.TEXTS), tick())
    claimed = await store.slot.claim(slot, tick(), LEASE_S)
    assert claimed is not None
    return claimed


@pytest.mark.parametrize("size", [MOST_LOCKS - 1, MOST_LOCKS + 1])
async def test_batches_of_the_same_keys_at_once_go_one_after_the_other(
    store: StorePorts, database: PostgresDatabase, size: int
) -> None:
    claims = [await _claimed(store, f"slot-{number}") for number in range(4)]
    keys = [f"{number}" for number in range(size)]

    async def publish(number: int) -> None:
        texts = [_text(key) for key in (keys if number % 2 else reversed(keys))]
        counts = await store.batches.publish(claims[number], 0, texts, tick())
        assert counts.done == size
        await store.batches.finish(claims[number], None, tick())

    await asyncio.gather(*(publish(number) for number in range(4)))
    assert len(await store.documents.list_documents("default", "", 999)) == size
    found = await PostgresIntegrity(database, 0.0).check()
    assert all(invariant.ok for invariant in found), found
