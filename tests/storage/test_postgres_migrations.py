import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from storage.postgres_migrations import RefusedByDatabase, allow, migrate, upgrade
from storage.revisions import NewerDatabase
from storage.unavailable import StorageUnavailable
from tests.servers.postgres import PostgresServer

FIRST = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0001", None
def upgrade():
    op.create_table("t", sa.Column("k", sa.Text(), primary_key=True))
def downgrade():
    op.drop_table("t")
"""
SECOND = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    op.add_column("t", sa.Column("n", sa.Integer(), nullable=True))
    op.execute("INSERT INTO t VALUES ('made by 2', 2)")
def downgrade():
    op.execute("DELETE FROM t WHERE n = 2")
    op.drop_column("t", "n")
"""
THIRD = """
from alembic import op
revision, down_revision = "0003", "0002"
def upgrade():
    op.execute("INSERT INTO t VALUES ('made by 3', 3)")
def downgrade():
    op.execute("DELETE FROM t WHERE n = 3")
"""
BROKEN = """
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    op.execute("INSERT INTO t VALUES ('half')")
    op.execute("INSERT INTO nowhere VALUES (1)")
def downgrade():
    pass
"""
WORKS_WITH_1 = "works_with = '0001'\n"
WORKS_WITH_2 = "works_with = '0002'\n"


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "v0001_first.py").write_text(FIRST)
    return folder


@pytest.fixture
def role(postgres_server: PostgresServer, postgres_database: str) -> Iterator[str]:
    """Who may log in, and nothing else."""
    postgres_server.execute("CREATE ROLE little LOGIN PASSWORD 'little'; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    yield postgres_server.url(postgres_database.rpartition("/")[2], "little", "little")
    postgres_server.drop_database(postgres_database.rpartition("/")[2])
    postgres_server.execute("DROP ROLE little")


async def _query(url: str, statement: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def test_a_new_database_gets_all_tables_and_an_older_one_keeps_its_rows(
    scripts: Path, postgres_database: str
) -> None:
    await upgrade(postgres_database, "s", scripts)
    await _query(postgres_database, "INSERT INTO s.t VALUES ('old')")
    (scripts / "v0002_second.py").write_text(SECOND)
    await upgrade(postgres_database, "s", scripts)
    await upgrade(postgres_database, "other", scripts)
    assert await _query(postgres_database, "SELECT k, n FROM s.t ORDER BY k") == [("made by 2", 2), ("old", None)]
    assert await _query(postgres_database, "SELECT k, n FROM other.t") == [("made by 2", 2)]


async def test_going_down_leads_back(scripts: Path, postgres_database: str) -> None:
    (scripts / "v0002_second.py").write_text(SECOND)
    await upgrade(postgres_database, "s", scripts)
    await migrate(postgres_database, "s", scripts, "0001")
    assert await _query(postgres_database, "SELECT * FROM s.t") == []
    await migrate(postgres_database, "s", scripts, "base")
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 's'"
    assert await _query(postgres_database, tables) == [("alembic_version",)]
    await upgrade(postgres_database, "s", scripts)
    assert await _query(postgres_database, "SELECT k FROM s.t") == [("made by 2",)]


async def test_a_migration_that_fails_changes_nothing(scripts: Path, postgres_database: str) -> None:
    await upgrade(postgres_database, "s", scripts)
    (scripts / "v0002_broken.py").write_text(BROKEN)
    with pytest.raises(asyncpg.UndefinedTableError):
        await upgrade(postgres_database, "s", scripts)
    assert await _query(postgres_database, "SELECT * FROM s.t") == []
    assert await _query(postgres_database, "SELECT version_num FROM s.alembic_version") == [("0001",)]


async def test_a_database_of_a_newer_program_is_refused(scripts: Path, postgres_database: str) -> None:
    (scripts / "v0002_second.py").write_text(SECOND)
    await upgrade(postgres_database, "s", scripts)
    (scripts / "v0002_second.py").unlink()
    with pytest.raises(NewerDatabase, match="newer version of this program"):
        await upgrade(postgres_database, "s", scripts)
    with pytest.raises(NewerDatabase, match="newer version of this program"):
        await migrate(postgres_database, "s", scripts, "base")


async def test_the_program_before_keeps_working_where_the_new_tables_say_so(
    scripts: Path, postgres_database: str
) -> None:
    (scripts / "v0002_second.py").write_text(SECOND + WORKS_WITH_1)
    await upgrade(postgres_database, "s", scripts)
    (scripts / "v0002_second.py").unlink()
    await upgrade(postgres_database, "s", scripts)
    assert await _query(postgres_database, "SELECT version_num FROM s.alembic_version") == [("0002",)]


@pytest.mark.parametrize(("third", "accepted"), [(THIRD + WORKS_WITH_2, True), (THIRD, False)])
async def test_over_two_revisions_both_must_say_so(
    scripts: Path, postgres_database: str, third: str, *, accepted: bool
) -> None:
    (scripts / "v0002_second.py").write_text(SECOND + WORKS_WITH_1)
    (scripts / "v0003_third.py").write_text(third)
    await upgrade(postgres_database, "s", scripts)
    for newer in ("v0002_second.py", "v0003_third.py"):
        (scripts / newer).unlink()
    if accepted:
        await upgrade(postgres_database, "s", scripts)
    else:
        with pytest.raises(NewerDatabase):
            await upgrade(postgres_database, "s", scripts)


async def test_programs_that_start_at_once_migrate_once(scripts: Path, postgres_database: str) -> None:
    (scripts / "v0002_second.py").write_text(SECOND)
    await asyncio.gather(*(upgrade(postgres_database, "s", scripts) for _ in range(4)))
    assert await _query(postgres_database, "SELECT count(*) FROM s.t") == [(1,)]


async def test_a_role_without_rights_works_with_migrated_tables_and_cannot_make_them(
    scripts: Path, postgres_database: str, role: str
) -> None:
    with pytest.raises(RefusedByDatabase, match="acervo migrate"):
        await upgrade(role, "s", scripts)
    await upgrade(postgres_database, "s", scripts)
    await allow(postgres_database, "s", "little")
    await upgrade(role, "s", scripts)
    await _query(role, "INSERT INTO s.t VALUES ('by little')")
    for refused in ("CREATE TABLE s.u (k TEXT)", "DROP TABLE s.t", "UPDATE s.alembic_version SET version_num = ''"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await _query(role, refused)


async def test_who_owns_the_schema_alone_can_migrate_it(scripts: Path, postgres_database: str, role: str) -> None:
    await _query(postgres_database, "CREATE SCHEMA s AUTHORIZATION little")
    await upgrade(role, "s", scripts)
    (scripts / "v0002_second.py").write_text(SECOND)
    await upgrade(role, "s", scripts)
    assert await _query(role, "SELECT k FROM s.t") == [("made by 2",)]


async def test_a_wrong_password_is_told_without_the_password(scripts: Path, postgres_server: PostgresServer) -> None:
    wrong = "not the password"
    with pytest.raises(RefusedByDatabase, match="does not let this program in") as refused:
        await upgrade(postgres_server.url(password=wrong), "s", scripts)
    assert wrong not in f"{refused.value!r}{refused.value.__cause__!r}"


async def test_a_server_that_is_away_is_unavailable(scripts: Path, postgres_server: PostgresServer) -> None:
    away = postgres_server.url().replace(f":{postgres_server.port}/", ":1/")
    with pytest.raises(StorageUnavailable):
        await upgrade(away, "s", scripts)
