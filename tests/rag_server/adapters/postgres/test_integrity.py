import pytest

from rag_server.adapters.postgres.integrity import PostgresIntegrity
from rag_server.domain.failure import Failure, FailureReason
from rag_server.domain.invariant import Invariant
from rag_server.domain.job import JobKind
from rag_server.segment_ports import BuiltSegment
from storage.blobs import Blob
from storage.postgres import Connection, PostgresDatabase
from tests.contracts.ingesting import batch_order, claim, ingest, ingested, order, stage, tick
from tests.fakes.store_ports import StorePorts

CORRUPT = Failure(FailureReason.CORRUPT)


async def _check(database: PostgresDatabase) -> dict[str, Invariant]:
    return {invariant.id: invariant for invariant in await PostgresIntegrity(database, 0.0).check()}


async def _fill(store: StorePorts) -> None:
    """Something of everything."""
    await ingest(store, "a", "one two")
    await ingest(store, "a", "three four five")
    deleted = await ingested(store, "b", "six")
    await store.documents.delete(deleted.document_id, "", tick())
    await ingest(store, "c", "ação no café")
    await store.jobs.admit(order("d"), tick())
    await store.slot.fail(await claim(store), CORRUPT, tick())
    await store.jobs.admit(order("e", request_id="r-1"), tick())
    await stage(store, await claim(store), "seven")


async def test_everything_is_counted_and_holds(store: StorePorts, database: PostgresDatabase) -> None:
    await _fill(store)
    found = await _check(database)
    assert all(invariant.ok for invariant in found.values()), found
    counts = {name: invariant.checked for name, invariant in found.items()}
    assert counts == {"I1": 6, "I2": 6, "I3": 5, "I6": 2, "I10": 1}


async def test_segments_in_use_and_out_of_it_hold(store: StorePorts, database: PostgresDatabase) -> None:
    await ingest(store, "a", "one two")
    for name, replaced in (("a", ()), ("b", (1,))):
        asked = batch_order(JobKind.MAINTENANCE)
        assert await store.segments.ask(asked, tick())
        built = BuiltSegment(Blob(name * 64, 1), 2)
        assert await store.segments.publish(await claim(store), built, replaced, tick())
    found = await _check(database)
    assert all(invariant.ok for invariant in found.values()), found
    assert (found["I1"].checked, found["I3"].checked) == (3, 3)


async def test_an_empty_store_has_nothing_to_check(database: PostgresDatabase) -> None:
    assert {(invariant.checked, invariant.ok) for invariant in (await _check(database)).values()} == {(0, True)}


_SEGMENT = """
INSERT INTO segment (collection, sha256, size_bytes, row_count, state, sequence, create_time)
VALUES ('default', repeat('a', 64), 1, 1, 'CURRENT', 1, 0)
"""

DAMAGES = [
    ("I1", "DROP INDEX uq_job_request_id; UPDATE job SET request_id = 'twice'"),
    ("I1", "DELETE FROM change WHERE sequence = 1"),
    ("I2", "DELETE FROM chunk WHERE text = 'four'"),
    ("I2", "UPDATE chunk SET ordinal = 7 WHERE text = 'five'"),
    ("I2", "UPDATE chunk SET text = 'fear' WHERE text = 'four'"),
    ("I2", "UPDATE chunk SET char_start = char_start - 1, char_end = char_end - 1 WHERE text = 'café'"),
    ("I2", "UPDATE chunk SET content_hash = decode(repeat('00', 32), 'hex') WHERE text = 'four'"),
    ("I2", "UPDATE chunk SET vector = '\\x00' WHERE text = 'four'"),
    ("I2", "UPDATE page SET text = replace(text, 'three', 'there')"),
    ("I2", "UPDATE page SET char_start = 1"),
    ("I2", "UPDATE version SET state = 'RETIRED' WHERE state = 'CURRENT'"),
    ("I3", "DELETE FROM change WHERE sequence = 2"),
    ("I3", "UPDATE change SET sequence = 9 WHERE sequence = 5"),
    ("I3", "DELETE FROM change WHERE kind = 'DELETED'"),
    ("I3", "DELETE FROM document WHERE document_key = 'a'"),
    ("I3", _SEGMENT),
    ("I3", "UPDATE change SET kind = 'SEGMENT', segment_id = 7 WHERE kind = 'DELETED'"),
    ("I6", "UPDATE job SET lease_end = -61 WHERE state = 'RUNNING'"),
    ("I6", "DELETE FROM job WHERE state = 'RUNNING'"),
    ("I10", """UPDATE job SET failure = '{"reason":"NO_IDEA","message":"","detail":{}}' WHERE state = 'FAILED'"""),
    ("I10", "UPDATE job SET failure = '{}' WHERE failure IS NOT NULL"),
]


@pytest.mark.parametrize(("name", "damage"), DAMAGES)
async def test_damage_is_found(store: StorePorts, database: PostgresDatabase, name: str, damage: str) -> None:
    await _fill(store)

    async def work(connection: Connection) -> None:
        await connection.execute(damage)

    await database.write(work)
    found = (await _check(database))[name]
    assert not found.ok
    assert all("café" not in fault and "four" not in fault for fault in found.faults)
