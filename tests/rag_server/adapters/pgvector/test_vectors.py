"""The same searches in PostgreSQL and in memory."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import numpy as np
import pytest

from rag_server.adapters.pgvector.index import HnswIndex
from rag_server.adapters.pgvector.vectors import TOLERANCE
from rag_server.domain.version_set import VersionSet
from storage.postgres import Connection, PostgresDatabase
from tests.contracts.ingesting import tick
from tests.fakes.postgres_store import SCHEMA, open_postgres
from tests.rag_server.adapters.pgvector.library import D, Library, library, recall, unit_vectors
from tests.servers.postgres import PostgresServer

ROWS = 4_000
QUERIES = unit_vectors(25, seed=7)

_PLAN = """
EXPLAIN SELECT chunk_id FROM nearest_chunk n WHERE collection = 'c' AND vector IS NOT NULL
ORDER BY vector <#> CAST('[{zeros}]' AS public.halfvec) LIMIT 20
"""


@pytest.fixture
async def small(database: PostgresDatabase) -> Library:
    """All of it is compared one by one."""
    made = await library(database)
    await made.put(unit_vectors(600))
    made.follow()
    return made


@pytest.fixture(scope="module")
def filled_postgres(postgres_server: PostgresServer, empty_postgres: str) -> str:
    """The name of a database with two collections in one index, to be copied."""
    name = postgres_server.new_database(empty_postgres)
    asyncio.run(_fill(postgres_server.url(name)))
    return name


async def _fill(url: str) -> None:
    async with open_postgres(url) as database:
        made = await library(database)
        await made.put(unit_vectors(ROWS))
        await made.put(unit_vectors(1_000, seed=3), collection="other")
        made.follow()
        await HnswIndex(url, SCHEMA).keep()


@pytest.fixture
async def large(postgres_server: PostgresServer, filled_postgres: str) -> AsyncIterator[Library]:
    """What is above some rows is looked for by the index."""
    name = postgres_server.new_database(filled_postgres)
    async with open_postgres(postgres_server.url(name)) as database:
        made = await library(database, exact_rows=300)
        made.follow()
        yield made
    postgres_server.drop_database(name)


async def test_what_is_compared_one_by_one_is_found_as_in_memory(small: Library) -> None:
    for limit in (1, 10, 100, 1_000):
        faiss, pgvector = small.both(QUERIES, limit)
        for wanted, found in zip(faiss, pgvector, strict=True):
            assert found.chunk_ids.tolist() == wanted.chunk_ids.tolist()
            np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-6)


async def test_the_index_is_used_and_finds_nearly_all(large: Library) -> None:
    def plan() -> str:
        async def work(connection: Connection) -> str:
            await connection.execute("SET LOCAL search_path TO rag_server, public; SET LOCAL enable_sort TO off")
            rows = await connection.fetch(_PLAN.format(zeros=",".join(["0.1"] * D)))
            return "\n".join(row[0] for row in rows)

        return large.database.read_here(work)

    assert "ix_nearest_chunk_vector" in plan()
    for limit in (10, 100):
        faiss, pgvector = large.both(QUERIES, limit)
        assert all(len(found) == limit for found in pgvector)
        assert recall(faiss, pgvector) >= 0.95


@pytest.mark.parametrize("collection", ["other", "nowhere"])
async def test_other_collections_are_not_seen(large: Library, collection: str) -> None:
    faiss, pgvector = large.both(QUERIES, 10, collection=collection)
    assert recall(faiss, pgvector) >= 0.95 if collection == "other" else not any(map(len, pgvector))


@pytest.mark.parametrize("share", [0.8, 0.1, 0.005, 1 / 400])
async def test_filters_lose_nothing(large: Library, share: float) -> None:
    version_ids = large.store.change_log.current_version_ids()[:400]  # of the first collection
    chosen = np.random.default_rng(1).choice(version_ids, max(1, round(share * 400)), replace=False)
    faiss, pgvector = large.both(QUERIES, 100, VersionSet(np.sort(chosen)))
    assert recall(faiss, pgvector) >= (0.95 if share == 0.8 else 1.0)  # so many are looked for by the index
    assert [len(found) for found in pgvector] == [len(found) for found in faiss]


async def test_a_filter_that_means_nothing_finds_nothing(large: Library) -> None:
    _, pgvector = large.both(QUERIES, 10, VersionSet(np.empty(0, np.int64)))
    assert not any(map(len, pgvector))


async def test_where_the_index_leaves_too_little_all_are_compared(large: Library) -> None:
    _, pgvector = large.both(QUERIES[:2], ROWS + 10)
    assert [len(found) for found in pgvector] == [ROWS, ROWS]


async def test_what_is_deleted_is_gone_before_any_view_hears_of_it(small: Library) -> None:
    await _the_best_document_goes(small)


async def test_what_is_deleted_is_gone_from_the_index_as_well(large: Library) -> None:
    await _the_best_document_goes(large)


async def _the_best_document_goes(held: Library) -> None:
    state = held.vectors
    best = state.search("c", QUERIES[:1], 1)[0].chunk_ids
    version_id = int(state.versions_of("c", best)[0])
    document_id = held.store.change_log.attributes_of([version_id])[version_id].document_id
    await held.store.documents.delete(document_id, "c", tick())
    found = state.search("c", QUERIES, 100)
    assert all(len(each) == 100 for each in found)
    assert not any(np.isin(state.versions_of("c", each.chunk_ids), [0, version_id]).any() for each in found)
    assert state.versions_of("c", best).tolist() == [0]
    assert state.scores_of("c", QUERIES[0], best).tolist() == [0.0]


async def test_of_two_versions_only_the_new_one_is_found(large: Library) -> None:
    await large.put(unit_vectors(ROWS // 2, seed=5))
    old = large.vectors.search("c", QUERIES, 100)
    large.follow()
    faiss, pgvector = large.both(QUERIES, 100)
    assert recall(faiss, pgvector) >= 0.95
    current = large.store.change_log.current_chunk_ids()
    assert all(np.isin(each.chunk_ids, current).all() for each in [*old, *pgvector])


async def test_zero_vectors_are_there_and_never_found(database: PostgresDatabase) -> None:
    made = await library(database)
    vectors = unit_vectors(30)
    vectors[4] = 0
    await made.put(vectors)
    made.follow()
    _, pgvector = made.both(QUERIES, 100)
    zero = int(made.store.change_log.current_chunk_ids()[4])
    assert all(len(found) == 29 and zero not in found.chunk_ids for found in pgvector)
    assert not made.vectors.vectors_of("c", np.array([zero])).any()


async def test_what_is_told_of_chunks_is_as_in_memory(small: Library) -> None:
    state, faiss = small.vectors, small.faiss.view.state()
    ids = np.concatenate([faiss.chunk_ids()[::7], [10**9]])
    np.testing.assert_allclose(state.scores_of("c", QUERIES[0], ids), faiss.scores_of("c", QUERIES[0], ids), atol=1e-6)
    assert state.versions_of("c", ids).tolist() == faiss.versions_of("c", ids).tolist()
    far = np.linalg.norm(state.vectors_of("c", ids[:-1]) - faiss.vectors_of("c", ids[:-1]), axis=1)
    assert far.max() <= TOLERANCE == state.tolerance_of("c", ids)[0]
    assert np.isnan(state.vectors_of("c", ids[-1:])).all()
    assert not state.versions_of("other", ids).any()
    assert state.chunk_ids().tolist() == faiss.chunk_ids().tolist()
    assert state.row_count("c") == state.holdings()["c"].rows == 600


async def test_a_session_that_is_ended_costs_no_search(small: Library, postgres_store_url: str) -> None:
    expected = [found.chunk_ids.tolist() for found in small.vectors.search("c", QUERIES, 10)]
    connection = await asyncpg.connect(postgres_store_url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'acervo tests' AND pid <> pg_backend_pid()"
    )
    await connection.close()
    found = await asyncio.to_thread(small.vectors.search, "c", QUERIES, 10)
    assert [each.chunk_ids.tolist() for each in found] == expected


async def test_vectors_of_another_length_are_refused(small: Library) -> None:
    with pytest.raises(ValueError, match="dimensions"):
        small.vectors.search("c", unit_vectors(1)[:, :-1], 10)
