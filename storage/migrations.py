"""Brings a database file to the tables that this program needs.

A folder of Alembic revisions says how: files named `v0001_first_tables.py`, each with the revision `0001`. Alembic only
writes the SQL; it runs through apsw in one transaction, and never through the interpreter's own, older library.
"""

import fcntl
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import StringIO
from pathlib import Path

import apsw

from serving.errors import Unusable
from storage.sqlite import BUSY_TIMEOUT_MS

BEFORE_THE_FIRST = "base"


class NewerDatabase(Unusable):
    """The database was written by a newer version of this program."""


def upgrade(database_path: Path, script_location: Path) -> None:
    """Make the database or bring it up to date; fast where there is nothing to do. Safe to call in several processes.

    Raises NewerDatabase, apsw.Error.
    """
    known = revisions(script_location)
    if _revision(database_path, known) != known[-1]:
        migrate(database_path, script_location, known[-1])


def migrate(database_path: Path, script_location: Path, target: str) -> None:
    """Bring the database to the revision `target`, up or down. Raises NewerDatabase, apsw.Error."""
    known = revisions(script_location)
    with _locked(database_path), closing(apsw.Connection(str(database_path))) as connection:
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        # Looked at again: another process may have done it while this one waited for the lock.
        present = _revision(database_path, known)
        if present == target:
            return
        sql = _render(script_location, present, target)
        connection.execute("BEGIN EXCLUSIVE")  # closing the connection before COMMIT undoes everything
        connection.execute(sql)
        _remember(connection, target)
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise apsw.ConstraintError(f"the migration to {target} breaks foreign keys: {broken[:5]}")
        connection.execute("COMMIT")


def revisions(script_location: Path) -> list[str]:
    """The revisions that this program knows, in order, read from the names of their files: Alembic is slow to load."""
    names = (re.fullmatch(r"v(\d{4})_\w+\.py", path.name) for path in script_location.iterdir())
    return [BEFORE_THE_FIRST, *sorted(name[1] for name in names if name)]


def _revision(database_path: Path, known: list[str]) -> str:
    try:
        connection = apsw.Connection(str(database_path), flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.CantOpenError:
        return BEFORE_THE_FIRST
    with closing(connection):
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        if not connection.table_exists("main", "alembic_version"):
            return BEFORE_THE_FIRST
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None:
        return BEFORE_THE_FIRST
    if row[0] not in known:
        raise NewerDatabase(
            f"{database_path.name} was written by a newer version of this program (its tables are at {row[0]}, this "
            f"version knows up to {known[-1]}): install that version, or restore a backup made by this one"
        )
    return str(row[0])


def _render(script_location: Path, present: str, target: str) -> str:
    """The SQL that leads from one revision to another."""
    from alembic.operations import Operations  # noqa: PLC0415 - slow to load, and seldom needed
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    scripts = ScriptDirectory(str(script_location), version_locations=[str(script_location)])
    known = revisions(script_location)
    rising = known.index(present) < known.index(target)
    lower, upper = (present, target) if rising else (target, present)
    steps = [script.module for script in scripts.iterate_revisions(upper, lower)]
    sql = StringIO()
    context = MigrationContext.configure(dialect_name="sqlite", opts={"as_sql": True, "output_buffer": sql})
    with Operations.context(context):
        for step in reversed(steps) if rising else steps:
            (step.upgrade if rising else step.downgrade)()
    return sql.getvalue()


def _remember(connection: apsw.Connection, revision: str) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS alembic_version (version_num TEXT NOT NULL PRIMARY KEY)")
    connection.execute("DELETE FROM alembic_version")
    if revision != BEFORE_THE_FIRST:
        connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))


@contextmanager
def _locked(database_path: Path) -> Iterator[None]:
    """Alone among the processes that would migrate in this folder."""
    with (database_path.parent / ".migration.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
