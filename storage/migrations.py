"""Brings a database file to the tables that this program needs.

The SQL of the revisions runs through apsw in one transaction, and never through the interpreter's own, older library.
"""

import fcntl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw

from storage.revisions import BEFORE_THE_FIRST, newer_database, render, revisions
from storage.sqlite import BUSY_TIMEOUT_MS


def upgrade(database_path: Path, script_location: Path) -> None:
    """Make the database or bring it up to date; fast where there is nothing to do. Safe to call in several processes.

    Raises NewerDatabase, apsw.Error.
    """
    known = revisions(script_location)
    if _revision(database_path, known) != known[-1]:
        migrate(database_path, script_location, known[-1])


def present_revision(database_path: Path, script_location: Path) -> str:
    """Where the tables are. Raises NewerDatabase, apsw.Error."""
    return _revision(database_path, revisions(script_location))


def migrate(database_path: Path, script_location: Path, target: str) -> None:
    """Bring the database to the revision `target`, up or down. Raises NewerDatabase, apsw.Error."""
    known = revisions(script_location)
    with _locked(database_path), closing(apsw.Connection(str(database_path))) as connection:
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        # Looked at again: another process may have done it while this one waited for the lock.
        present = _revision(database_path, known)
        if present == target:
            return
        sql = render(script_location, present, target, "sqlite")
        connection.execute("BEGIN EXCLUSIVE")  # closing the connection before COMMIT undoes everything
        connection.execute(sql)
        _remember(connection, target)
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise apsw.ConstraintError(f"the migration to {target} breaks foreign keys: {broken[:5]}")
        connection.execute("COMMIT")


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
        raise newer_database(database_path.name, row[0], known[-1])
    return str(row[0])


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
