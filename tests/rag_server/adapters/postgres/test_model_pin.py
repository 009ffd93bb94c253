import asyncio

import pytest

from rag_server.adapters.postgres.model_pin import pin_model
from rag_server.ports import ModelMismatch
from storage.postgres import PostgresDatabase
from tests.contracts.ingesting import ingest
from tests.fakes.store_ports import DIMENSIONS, PIPELINE, StorePorts


async def test_a_store_that_never_held_anything_takes_any_model(database: PostgresDatabase) -> None:
    await pin_model(database, "other-model", "other", 384)
    await pin_model(database, "test-model", PIPELINE.model_fingerprint, DIMENSIONS)


async def test_a_store_with_vectors_takes_its_own_model_only(database: PostgresDatabase, store: StorePorts) -> None:
    await ingest(store)
    await pin_model(database, "new-name", PIPELINE.model_fingerprint, DIMENSIONS)
    with pytest.raises(ModelMismatch, match="set ACERVO_MODEL to new-name"):
        await pin_model(database, "other-model", "other", 384)


async def test_servers_that_start_at_once_agree(database: PostgresDatabase) -> None:
    await asyncio.gather(*(pin_model(database, f"model-{n}", f"fingerprint-{n}", 8) for n in range(8)))
    pinned = await database.read(lambda connection: connection.fetch("SELECT name, fingerprint FROM pinned_model"))
    assert len(pinned) == 1
    assert pinned[0][0][-1] == pinned[0][1][-1]
