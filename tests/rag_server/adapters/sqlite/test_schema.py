"""The tables refuse half-states, and the hot statements find their rows by an index."""

import re
from pathlib import Path

import apsw
import pytest
from alembic.script import ScriptDirectory

from rag_server.adapters.sqlite import changes, documents, jobs, slot, staging, unchanged
from storage.migrations import migrate
from storage.revisions import revisions
from storage.sqlite import Database
from tests.contracts.ingesting import claim, ingest, order, tick
from tests.fakes.store_ports import MIGRATIONS, StorePorts, open_database

HALF_STATES = [
    "UPDATE job SET state = 'SUCCEEDED'",
    "UPDATE job SET state = 'FAILED', end_time = 1, slot = NULL, lease_end = NULL",
    "UPDATE job SET state = 'QUEUED'",
    "UPDATE job SET state = 'BUSY'",
    "UPDATE job SET end_time = 1",
    "UPDATE job SET lease_end = NULL",
    "UPDATE job SET next_attempt_time = 1",
    "UPDATE job SET problem = '{}'",
    "UPDATE job SET crashes = attempt + 1",
    "UPDATE job SET revision = 'many'",
    "UPDATE version SET state = 'CURRENT', sequence = NULL",
    "UPDATE version SET erased = 1 WHERE state = 'CURRENT'",
    "UPDATE version SET number = NULL",
    "UPDATE version SET model_fingerprint = 'another'",
    "UPDATE document SET current_version_id = 99",
    "INSERT INTO change VALUES (9, 'DELETED', 'c', 'd', 5, 1, 0)",
    "INSERT INTO change SELECT 9, kind, collection, document_id, version_id, 1, 0 FROM change",
    "INSERT INTO collection VALUES (NULL, 1)",
    "DELETE FROM version",
    "DELETE FROM collection",
    "INSERT INTO pinned_model VALUES (2, 'f', 'n', 1)",
]


@pytest.mark.parametrize("statement", HALF_STATES)
async def test_a_half_state_cannot_be_written(store: StorePorts, database: Database, statement: str) -> None:
    await ingest(store)
    await store.jobs.admit(order("b"), tick())
    await claim(store)
    await database.write(lambda connection: connection.execute("DELETE FROM job WHERE state <> 'RUNNING'").fetchall())
    with pytest.raises(apsw.ConstraintError):
        await database.write(lambda connection: connection.execute(statement).fetchall())


HOT = {
    "claim": slot._CLAIM,
    "heartbeat": slot._HEARTBEAT,
    "list": jobs._LIST + " ORDER BY job_id DESC LIMIT :limit",
    "list a collection": jobs._LIST + " AND collection = :collection ORDER BY job_id DESC LIMIT :limit",
    "queue position": jobs._AHEAD,
    "cancel": jobs._CANCEL,
    "prune": jobs._PRUNE,
    "unchanged": unchanged._STANDING,
    "known vectors": staging._KNOWN_VECTOR,
    "drop retired": staging._DROP_CHUNKS,
    "empty versions": staging._EMPTY,
    "changes": changes._CHANGES,
    "chunks of a version": changes._CHUNKS_OF,
    "passages": changes._PASSAGES,
    "a document": documents._BY_ID,
    "documents": documents._BY_KEY,
    "a collection": documents._ONE_COLLECTION,
    "cancel jobs of a document": f"{documents._CANCEL_JOBS} {documents._THE_DOCUMENT}",
    "erase a document": f"{documents._ERASE_VERSIONS} {documents._THE_DOCUMENT}",
}


@pytest.mark.parametrize("name", HOT)
async def test_a_hot_statement_scans_no_table(database: Database, name: str) -> None:
    def plan(connection: apsw.Connection) -> list[str]:
        statement = HOT[name]
        names = re.findall(r":(\w+)", statement)
        bindings = dict.fromkeys(names, 1) if names else (1,) * statement.count("?")
        return [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", bindings)]

    steps = [step for step in await database.read(plan) if "json_each" not in step]
    assert steps
    assert [step for step in steps if "TEMP B-TREE" in step or (step.startswith("SCAN") and "INDEX" not in step)] == []


def test_the_names_of_the_files_and_the_revisions_in_them_agree() -> None:
    scripts = ScriptDirectory(str(MIGRATIONS), version_locations=[str(MIGRATIONS)])
    known = [script.revision for script in scripts.walk_revisions()][::-1]
    assert ["base", *known] == revisions(MIGRATIONS)
    assert scripts.get_heads() == known[-1:]


async def test_going_down_takes_everything_away(tmp_path: Path) -> None:
    path = tmp_path / "rag_server.db"
    async with open_database(path):
        pass
    migrate(path, MIGRATIONS, "base")
    connection = apsw.Connection(str(path))
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    assert tables.fetchall() == [("alembic_version",)]
    connection.close()
