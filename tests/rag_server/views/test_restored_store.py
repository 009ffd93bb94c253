"""A store is set back to a backup while snapshots of its views are kept: they are loaded only where they still fit."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from rag_server.adapters.faiss.view import FaissView
from rag_server.adapters.postings.view import PostingsView
from rag_server.adapters.tantivy.view import TantivyView
from rag_server.views.follower import Follower
from rag_server.views.keeping import Keeping
from rag_server.views.manifest import ModelOfVectors
from rag_server.views.snapshot import Snapshots
from rag_server.views.united import Views
from tests.contracts.ingesting import found_texts, ingest
from tests.fakes.postgres_store import open_postgres, postgres_ports
from tests.fakes.serving_views import following, library, texts
from tests.fakes.store_ports import DIMENSIONS, StorePorts, open_database, sqlite_ports
from tests.servers.postgres import PostgresServer

LONG_S = 20.0
MODEL = ModelOfVectors("test-model", DIMENSIONS)

Opened = Callable[[], AbstractAsyncContextManager[StorePorts]]


class Backed:
    """A store that can be set back."""

    def __init__(self, opened: Opened, back_up: Callable[[], None], set_back: Callable[[], None]) -> None:
        self.opened = opened
        self.back_up = back_up
        self.set_back = set_back


@pytest.fixture
def sqlite(tmp_path: Path) -> Backed:
    path, backup = tmp_path / "rag_server.db", tmp_path / "backup.db"

    @asynccontextmanager
    async def opened() -> AsyncIterator[StorePorts]:
        async with open_database(path) as database:
            yield sqlite_ports(database)

    def set_back() -> None:
        for left in tmp_path.glob(f"{path.name}-*"):
            left.unlink()
        shutil.copy(backup, path)

    def back_up() -> None:
        shutil.copy(path, backup)

    return Backed(opened, back_up, set_back)


@pytest.fixture
def postgres(postgres_server: PostgresServer, empty_postgres: str) -> Iterator[Backed]:
    names = [postgres_server.new_database(empty_postgres)]

    @asynccontextmanager
    async def opened() -> AsyncIterator[StorePorts]:
        async with open_postgres(postgres_server.url(names[-1])) as database:
            yield postgres_ports(database)

    def back_up() -> None:
        names.insert(0, postgres_server.new_database(names[-1]))

    def set_back() -> None:
        names.append(postgres_server.new_database(names[0]))

    yield Backed(opened, back_up, set_back)
    for name in names:
        postgres_server.drop_database(name)


@pytest.fixture(params=["sqlite", "postgres"])
def backed(request: pytest.FixtureRequest) -> Backed:
    store: Backed = request.getfixturevalue(request.param)
    return store


async def followed(store: StorePorts, folder: Path) -> list[str]:
    """Start with the snapshots in the folder, follow to the end and keep a last one; what is found then."""
    views = Views(FaissView(DIMENSIONS), TantivyView(folder / "work"), PostingsView(), folder.joinpath)
    follower = Follower(store.change_log, views, Keeping(Snapshots(folder, MODEL)))
    follower.start()
    try:
        assert await follower.wait_for(store.change_log.last_sequence(), LONG_S)
        ids = follower.current().vectors.chunk_ids().tolist()
    finally:
        follower.stop()
    passages = store.change_log.passages(ids)
    return [passages[chunk_id].text for chunk_id in ids]


async def _kept(backed: Backed, folder: Path) -> None:
    """Snapshots of two changes, of which there is a backup, and of four."""
    async with backed.opened() as store:
        await ingest(store, "a", "one")
        await ingest(store, "b", "two")
        assert await followed(store, folder) == ["one", "two"]
    backed.back_up()
    async with backed.opened() as store:
        await ingest(store, "a", "three")
        await ingest(store, "c", "four")
        assert await followed(store, folder) == ["two", "three", "four"]


async def test_a_store_that_was_set_back_has_the_snapshot_of_before(backed: Backed, tmp_path: Path) -> None:
    await _kept(backed, tmp_path / "views")
    backed.set_back()
    async with backed.opened() as store:
        with structlog.testing.capture_logs() as lines:
            assert await followed(store, tmp_path / "views") == found_texts(store) == ["one", "two"]
    assert [line["why"] for line in lines if line["event"] == "snapshot_refused"] == [
        "sequence 4 is beyond the store's 2"
    ]
    assert [line["sequence"] for line in lines if line["event"] == "snapshot_loaded"] == [2]


async def test_one_that_went_on_with_other_changes_under_the_same_numbers_is_not_mixed_up(
    backed: Backed, tmp_path: Path
) -> None:
    await _kept(backed, tmp_path / "views")
    backed.set_back()
    async with backed.opened() as store:
        await ingest(store, "c", "five")  # chunks, versions and sequences get the numbers that those lost had
        await ingest(store, "a", "six")
        with structlog.testing.capture_logs() as lines:
            assert await followed(store, tmp_path / "views") == found_texts(store) == ["two", "five", "six"]
    assert [line["why"] for line in lines if line["event"] == "snapshot_refused"] == [
        "change 4 is another one in the store"
    ]
    assert [line["sequence"] for line in lines if line["event"] == "snapshot_loaded"] == [2]


async def test_a_server_that_goes_on_meanwhile_begins_anew(tmp_path: Path) -> None:
    log, backup = library(3), library(3)
    with following(log, tmp_path) as follower:
        assert await follower.wait_for(3, LONG_S)
        with structlog.testing.capture_logs() as lines:
            backup.publish("d1", texts("outro"))
            backup.log[2] = replace(backup.log[2], change_time=9.0)
            with log.lock:
                log.versions, log.attributes, log.current = backup.versions, backup.attributes, backup.current
                log.log = backup.log
            follower.poke()
            async with asyncio.timeout(LONG_S):
                while follower.current().sequence < 4:
                    await asyncio.sleep(0.01)
        assert follower.current().vectors.chunk_ids().tolist() == log.current_chunk_ids().tolist()
    assert [line["position"] for line in lines if line["event"] == "views_built_anew"] == [3]


async def test_a_new_version_of_the_same_document_is_another_change(backed: Backed, tmp_path: Path) -> None:
    await _kept(backed, tmp_path / "views")
    async with backed.opened() as store:
        (before,) = store.change_log.changes(2, 1)
    backed.set_back()
    async with backed.opened() as store:
        await ingest(store, "a", "five")
        (after,) = store.change_log.changes(2, 1)
    assert (after.document_id, after.version_id) == (before.document_id, before.version_id)
    assert after.mark != before.mark
