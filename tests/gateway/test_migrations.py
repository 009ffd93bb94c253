"""The tables of the outbox, in both databases: up, down, and up again with what was in them."""

from pathlib import Path

import apsw
import asyncpg
import pytest

from gateway.bootstrap import MIGRATIONS, SCHEMA
from storage.migrations import migrate, upgrade
from storage.postgres_migrations import migrate as migrate_postgres
from storage.postgres_migrations import upgrade as upgrade_postgres
from storage.revisions import revisions

OLD_ROW = (
    "INSERT INTO {table} (job_id, request_id, collection, document_key, file_name, media_type, metadata_json, "
    "tags_json, priority, sha256, size_bytes, traceparent, origin_request_id, accept_time, update_time, state, "
    "revision, open, known_as) VALUES ('job-1', '', 'default', 'a', 'a', '', '', '[]', 5, "
    "'0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef', 1, '', '', 1.5, 1.5, 'PENDING', 0, {true}, '')"
)
READ = "SELECT job_id, accept_time, kind, claimed_by, claimed_until FROM {table}"
KEPT = [("job-1", 1.5, "INGEST", "", 0.0)]


def test_entries_of_an_older_release_are_kept_and_held_by_nobody_in_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    migrate(path, MIGRATIONS, "0001")
    connection = apsw.Connection(str(path))
    connection.execute(OLD_ROW.format(table="outbox", true="1"))
    upgrade(path, MIGRATIONS)
    assert connection.execute(READ.format(table="outbox")).fetchall() == KEPT
    connection.close()


async def test_entries_of_an_older_release_are_kept_and_held_by_nobody_in_postgres(postgres_database: str) -> None:
    await migrate_postgres(postgres_database, SCHEMA, MIGRATIONS, "0001")
    connection = await asyncpg.connect(postgres_database)
    await connection.execute(OLD_ROW.format(table="gateway.outbox", true="TRUE"))
    await upgrade_postgres(postgres_database, SCHEMA, MIGRATIONS)
    assert [tuple(row) for row in await connection.fetch(READ.format(table="gateway.outbox"))] == KEPT
    await connection.close()


@pytest.mark.parametrize("target", revisions(MIGRATIONS)[:-1])
def test_every_way_down_leads_up_again_in_sqlite(target: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    upgrade(path, MIGRATIONS)
    migrate(path, MIGRATIONS, target)
    upgrade(path, MIGRATIONS)


@pytest.mark.parametrize("target", revisions(MIGRATIONS)[:-1])
async def test_every_way_down_leads_up_again_in_postgres(target: str, postgres_database: str) -> None:
    await upgrade_postgres(postgres_database, SCHEMA, MIGRATIONS)
    await migrate_postgres(postgres_database, SCHEMA, MIGRATIONS, target)
    await upgrade_postgres(postgres_database, SCHEMA, MIGRATIONS)
