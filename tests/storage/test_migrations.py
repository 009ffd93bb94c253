import subprocess
import sys
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from storage.migrations import migrate, upgrade
from storage.revisions import NewerDatabase, revisions

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
BROKEN = """
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    op.execute("INSERT INTO t VALUES ('half')")
    op.execute("INSERT INTO nowhere VALUES (1)")
def downgrade():
    pass
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "v0001_first.py").write_text(FIRST)
    return folder


def _query(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(apsw.Connection(str(path))) as connection:
        return list(connection.execute(statement))


def test_a_new_database_gets_all_tables(scripts: Path, tmp_path: Path) -> None:
    (scripts / "v0002_second.py").write_text(SECOND)
    upgrade(tmp_path / "t.db", scripts)
    assert _query(tmp_path / "t.db", "SELECT k, n FROM t") == [("made by 2", 2)]
    assert _query(tmp_path / "t.db", "SELECT version_num FROM alembic_version") == [("0002",)]


def test_an_older_database_keeps_its_rows(scripts: Path, tmp_path: Path) -> None:
    upgrade(tmp_path / "t.db", scripts)
    _query(tmp_path / "t.db", "INSERT INTO t VALUES ('old')")
    (scripts / "v0002_second.py").write_text(SECOND)
    upgrade(tmp_path / "t.db", scripts)
    assert _query(tmp_path / "t.db", "SELECT k, n FROM t ORDER BY k") == [("made by 2", 2), ("old", None)]


def test_going_down_leads_back(scripts: Path, tmp_path: Path) -> None:
    (scripts / "v0002_second.py").write_text(SECOND)
    path = tmp_path / "t.db"
    upgrade(path, scripts)
    migrate(path, scripts, "0001")
    assert _query(path, "SELECT * FROM t") == []
    migrate(path, scripts, "base")
    assert _query(path, "SELECT name FROM sqlite_master WHERE type = 'table'") == [("alembic_version",)]
    upgrade(path, scripts)
    assert _query(path, "SELECT k FROM t") == [("made by 2",)]


def test_a_migration_that_fails_changes_nothing(scripts: Path, tmp_path: Path) -> None:
    upgrade(tmp_path / "t.db", scripts)
    (scripts / "v0002_broken.py").write_text(BROKEN)
    with pytest.raises(apsw.SQLError):
        upgrade(tmp_path / "t.db", scripts)
    assert _query(tmp_path / "t.db", "SELECT * FROM t") == []
    assert _query(tmp_path / "t.db", "SELECT version_num FROM alembic_version") == [("0001",)]


def test_a_database_of_a_newer_program_is_refused(scripts: Path, tmp_path: Path) -> None:
    (scripts / "v0002_second.py").write_text(SECOND)
    upgrade(tmp_path / "t.db", scripts)
    (scripts / "v0002_second.py").unlink()
    with pytest.raises(NewerDatabase, match="newer version of this program"):
        upgrade(tmp_path / "t.db", scripts)


def test_revisions_are_read_from_the_names_of_the_files(scripts: Path) -> None:
    (scripts / "v0010_tenth.py").touch()
    (scripts / "notes.txt").touch()
    assert revisions(scripts) == ["base", "0001", "0010"]


def test_an_up_to_date_database_costs_no_loading_of_alembic(scripts: Path, tmp_path: Path) -> None:
    upgrade(tmp_path / "t.db", scripts)
    program = f"""
import sys
from pathlib import Path
from storage.migrations import upgrade
upgrade(Path({str(tmp_path / "t.db")!r}), Path({str(scripts)!r}))
assert not {{"alembic", "sqlalchemy", "sqlite3"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, cwd=Path.cwd())


def test_processes_that_start_at_once_migrate_once(scripts: Path, tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from storage.migrations import upgrade
upgrade(Path({str(tmp_path / "t.db")!r}), Path({str(scripts)!r}))
"""
    (scripts / "v0002_second.py").write_text(SECOND)
    starts = [subprocess.Popen([sys.executable, "-c", program], cwd=Path.cwd()) for _ in range(3)]
    assert [start.wait(60) for start in starts] == [0, 0, 0]
    assert _query(tmp_path / "t.db", "SELECT count(*) FROM t") == [(1,)]
