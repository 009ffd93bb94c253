import pytest

from rag_server.adapters.sqlite.model_pin import pin_model
from rag_server.ports import ModelMismatch
from storage.sqlite import Database
from tests.contracts.ingesting import ingest
from tests.fakes.store_ports import DIMENSIONS, PIPELINE, StorePorts


async def test_a_store_that_never_held_anything_takes_any_model(database: Database) -> None:
    await pin_model(database, "other-model", "other", 384)
    await pin_model(database, "test-model", PIPELINE.model_fingerprint, DIMENSIONS)


async def test_a_store_with_vectors_takes_its_own_model_only(database: Database, store: StorePorts) -> None:
    await ingest(store)
    await pin_model(database, "test-model", PIPELINE.model_fingerprint, DIMENSIONS)
    with pytest.raises(ModelMismatch) as raised:
        await pin_model(database, "other-model", "other", 384)
    assert "set ACERVO_MODEL to test-model" in str(raised.value)
    assert "other-model (384 dimensions)" in str(raised.value)


async def test_a_model_may_be_renamed(database: Database, store: StorePorts) -> None:
    await ingest(store)
    await pin_model(database, "new-name", PIPELINE.model_fingerprint, DIMENSIONS)
    with pytest.raises(ModelMismatch, match="made with the model new-name"):
        await pin_model(database, "other-model", "other", 384)
