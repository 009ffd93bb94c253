from collections.abc import Callable

import apsw
import pytest

from rag_server.adapters.sqlite.integrity import SqliteIntegrity
from rag_server.domain.failure import Failure, FailureReason
from rag_server.domain.invariant import Invariant
from rag_server.domain.job import JobKind
from rag_server.segment_ports import BuiltSegment
from storage.blobs import Blob
from storage.sqlite import Database
from tests.contracts.ingesting import batch_order, claim, ingest, ingested, order, stage, tick
from tests.fakes.store_ports import StorePorts

CORRUPT = Failure(FailureReason.CORRUPT)


async def _check(database: Database, now: float = 0.0) -> dict[str, Invariant]:
    return {invariant.id: invariant for invariant in await SqliteIntegrity(database, lambda: now).check()}


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


async def test_everything_is_counted_and_holds(store: StorePorts, database: Database) -> None:
    await _fill(store)
    found = await _check(database)
    assert all(invariant.ok for invariant in found.values()), found
    counts = {name: invariant.checked for name, invariant in found.items()}
    assert counts == {"I1": 6, "I2": 6, "I3": 5, "I6": 2, "I10": 1}


async def test_segments_in_use_and_out_of_it_hold(store: StorePorts, database: Database) -> None:
    await ingest(store, "a", "one two")
    for name, replaced in (("a", ()), ("b", (1,))):
        asked = batch_order(JobKind.MAINTENANCE)
        assert await store.segments.ask(asked, tick())
        built = BuiltSegment(Blob(name * 64, 1), 2)
        assert await store.segments.publish(await claim(store), built, replaced, tick())
    found = await _check(database)
    assert all(invariant.ok for invariant in found.values()), found
    assert (found["I1"].checked, found["I3"].checked) == (3, 3)


async def test_an_empty_store_has_nothing_to_check(database: Database) -> None:
    assert {(invariant.checked, invariant.ok) for invariant in (await _check(database)).values()} == {(0, True)}


def _sql(statement: str) -> Callable[[apsw.Connection], None]:
    def damage(connection: apsw.Connection) -> None:
        connection.execute(statement)

    return damage


_SEGMENT = """
INSERT INTO segment (collection, sha256, size_bytes, row_count, state, sequence, create_time)
VALUES ('default', 'a', 1, 1, 'CURRENT', 1, 0)
"""


def _doubled(column: str, index: str) -> Callable[[apsw.Connection], None]:
    """Rows that a lost index let in."""

    def damage(connection: apsw.Connection) -> None:
        connection.execute(f"DROP INDEX IF EXISTS {index}")
        copied = [row[1] for row in connection.execute("PRAGMA table_info(job)") if row[1] not in {"admission", column}]
        values = ", ".join("job_id || 'x'" if name == "job_id" else name for name in copied)
        columns = f"{column}, {', '.join(copied)}"
        connection.execute(f"INSERT INTO job ({columns}) SELECT {column}, {values} FROM job")  # noqa: S608 - own names

    return damage


DAMAGES = [
    ("I1", _doubled("request_id", "uq_job_request_id")),
    ("I1", _sql("DELETE FROM change WHERE sequence = 1")),
    ("I2", _sql("DELETE FROM chunk WHERE text = 'four'")),
    ("I2", _sql("UPDATE chunk SET ordinal = 7 WHERE text = 'five'")),
    ("I2", _sql("UPDATE chunk SET text = 'fear' WHERE text = 'four'")),
    ("I2", _sql("UPDATE chunk SET char_start = char_start - 1, char_end = char_end - 1 WHERE text = 'café'")),
    ("I2", _sql("UPDATE chunk SET content_hash = zeroblob(32) WHERE text = 'four'")),
    ("I2", _sql("UPDATE chunk SET vector = x'00' WHERE text = 'four'")),
    ("I2", _sql("UPDATE page SET text = replace(text, 'three', 'there')")),
    ("I2", _sql("UPDATE page SET char_start = 1")),
    ("I2", _sql("UPDATE version SET state = 'RETIRED' WHERE state = 'CURRENT'")),
    ("I3", _sql("DELETE FROM change WHERE sequence = 2")),
    ("I3", _sql("UPDATE change SET sequence = 9 WHERE sequence = 5")),
    ("I3", _sql("DELETE FROM change WHERE kind = 'DELETED'")),
    ("I3", _sql("DELETE FROM document WHERE document_key = 'a'")),
    ("I3", _sql(_SEGMENT)),
    ("I3", _sql("UPDATE change SET kind = 'SEGMENT', segment_id = 7 WHERE kind = 'DELETED'")),
    ("I6", _sql("UPDATE job SET lease_end = -61")),
    ("I6", _sql("DELETE FROM job WHERE state = 'RUNNING'")),
    ("I10", _sql("""UPDATE job SET failure = '{"reason":"NO_IDEA","message":"","detail":{}}'""")),
    ("I10", _sql("UPDATE job SET failure = '{}' WHERE failure IS NOT NULL")),
]


@pytest.mark.parametrize(("name", "damage"), DAMAGES)
async def test_damage_is_found(
    store: StorePorts, database: Database, name: str, damage: Callable[[apsw.Connection], None]
) -> None:
    await _fill(store)

    def work(connection: apsw.Connection) -> None:
        connection.pragma("ignore_check_constraints", True)
        damage(connection)

    await database.write(work)
    found = (await _check(database))[name]
    assert not found.ok
    assert all("café" not in fault and "four" not in fault for fault in found.faults)


async def test_at_most_twenty_faults_are_told(store: StorePorts, database: Database) -> None:
    await ingest(store, content=" ".join(f"w{n}" for n in range(50)))
    await database.write(_sql("UPDATE chunk SET content_hash = zeroblob(32)"))
    assert len((await _check(database))["I2"].faults) == 20
