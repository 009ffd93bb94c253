"""The table of vectors follows the change log, whichever servers feed it."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from rag_server.adapters.faiss.view import FaissView
from rag_server.adapters.pgvector.view import PgvectorView
from rag_server.domain.document import DocumentChunks, IndexedChunk
from rag_server.domain.segment import VectorHolding
from rag_server.index_ports import NothingApplied
from storage.postgres import PostgresDatabase
from storage.postgres_address import Limits
from tests.contracts.ingesting import tick
from tests.fakes.postgres_store import SCHEMA
from tests.rag_server.adapters.pgvector.library import D, another_server, library, unit_vectors
from tests.servers.postgres import PostgresServer


async def test_servers_that_feed_the_same_table_at_once_put_everything_in_once(database: PostgresDatabase) -> None:
    made = await library(database)
    await made.put(unit_vectors(1_000))
    servers = [made.pgvector, *[await another_server(database) for _ in range(3)]]
    await asyncio.gather(*[asyncio.to_thread(server.follow) for server in servers])
    current = made.store.change_log.current_chunk_ids().tolist()
    assert [server.view.state().chunk_ids().tolist() for server in servers] == [current] * 4
    assert made.vectors.row_count("c") == len(current)


async def test_what_was_there_before_is_put_in_and_what_is_missing_is_mended(database: PostgresDatabase) -> None:
    made = await library(database)
    await made.put(unit_vectors(300))
    made.follow()
    await database.write(lambda connection: connection.execute("DELETE FROM nearest_chunk WHERE chunk_id % 3 = 0"))
    made.pgvector.view.clear()
    made.pgvector.position = 0
    made.follow()
    assert made.vectors.chunk_ids().tolist() == made.store.change_log.current_chunk_ids().tolist()


async def test_rows_leave_with_their_chunks(database: PostgresDatabase) -> None:
    made = await library(database)
    await made.put(unit_vectors(100))
    made.follow()
    assert await made.store.documents.delete_collection("c", tick())
    while await made.store.staging.drop_retired(1_000):
        pass
    rows = await database.read(lambda connection: connection.fetchval("SELECT count(*) FROM nearest_chunk"))
    assert rows == 0


async def test_a_version_that_has_gone_meanwhile_is_not_put_in(database: PostgresDatabase) -> None:
    view = (await another_server(database)).view
    chunk = IndexedChunk(7, "c", "d", 3, "", (), "", unit_vectors(1)[0])
    view.apply([DocumentChunks("c", "d", [chunk], None)])
    assert view.state().chunk_ids().tolist() == []


async def test_a_vector_that_is_not_finite_is_refused(database: PostgresDatabase) -> None:
    view = (await another_server(database)).view
    chunk = IndexedChunk(7, "c", "d", 3, "", (), "", np.full(D, np.inf, np.float32))
    with pytest.raises(ValueError, match="not finite"):
        view.apply([DocumentChunks("c", "d", [chunk], None)])


async def test_a_snapshot_of_vectors_in_memory_is_not_taken_for_one_of_these(
    database: PostgresDatabase, tmp_path: Path
) -> None:
    view = (await another_server(database)).view
    for folder, made in {
        "memory": FaissView(D),
        "table": view,
        "longer": PgvectorView(database, D + 1, "public"),
    }.items():
        (tmp_path / folder).mkdir()
        made.freeze(tmp_path / folder, None)()
    view.restore(tmp_path / "table")
    with pytest.raises(FileNotFoundError):
        view.restore(tmp_path / "memory")
    with pytest.raises(ValueError, match="another length"):
        view.restore(tmp_path / "longer")


async def test_where_the_database_is_away_nothing_was_applied_and_the_counts_stay(
    database: PostgresDatabase, postgres_server: PostgresServer, postgres_store_url: str
) -> None:
    made = await library(database)
    await made.put(unit_vectors(20))
    made.follow()
    async with PostgresDatabase(postgres_store_url, SCHEMA, "acervo away", Limits(retry_s=0.1)) as other:
        view = PgvectorView(other, D, "public")
        view.state()
        postgres_server.drop_database(postgres_store_url.rpartition("/")[2])
        chunk = IndexedChunk(7, "c", "d", 3, "", (), "", unit_vectors(1)[0])
        with pytest.raises(NothingApplied):
            await asyncio.to_thread(view.apply, [DocumentChunks("c", "d", [chunk], None)])
        view._count_again_s = 0.0  # else it would be a while
        state = await asyncio.to_thread(view.state)
    assert state.holdings()["c"] == VectorHolding(20, (), 0, in_database=True)
