"""The revisions of a database's tables that this program knows, and the SQL that leads from one to another.

A folder of Alembic revisions says it: files named `v0001_first_tables.py`, each with the revision `0001`. Alembic only
writes the SQL; each database runs it in its own way, in one transaction.
"""

import re
from io import StringIO
from pathlib import Path
from types import ModuleType

from serving.errors import Unusable

BEFORE_THE_FIRST = "base"
UNFINISHED_COPY = (
    "copying"  # in place of the revision while `acervo copy` fills the tables: nobody takes them for a store
)


class NewerDatabase(Unusable):
    """The database was written by a newer version of this program."""


def revisions(script_location: Path) -> list[str]:
    """The revisions that this program knows, in order, read from the names of their files: Alembic is slow to load."""
    names = (re.fullmatch(r"v(\d{4})_\w+\.py", path.name) for path in script_location.iterdir())
    return [BEFORE_THE_FIRST, *sorted(name[1] for name in names if name)]


def render(script_location: Path, present: str, target: str, dialect: str) -> str:
    """The SQL that leads from one revision to another."""
    from alembic.operations import Operations  # noqa: PLC0415 - slow to load, and seldom needed
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415 - likewise

    known = revisions(script_location)
    rising = known.index(present) < known.index(target)
    lower, upper = (present, target) if rising else (target, present)
    steps = scripts(script_location, lower, upper)
    sql = StringIO()
    context = MigrationContext.configure(dialect_name=dialect, opts={"as_sql": True, "output_buffer": sql})
    with Operations.context(context):
        for step in steps if rising else reversed(steps):
            (step.upgrade if rising else step.downgrade)()
    return sql.getvalue()


def scripts(script_location: Path, lower: str, upper: str) -> list[ModuleType]:
    """The revisions above `lower` up to `upper`, in order."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - slow to load, and seldom needed

    folder = ScriptDirectory(str(script_location), version_locations=[str(script_location)])
    return [script.module for script in folder.iterate_revisions(upper, lower)][::-1]


def newer_database(name: str, present: str, newest: str) -> NewerDatabase:
    """The error, with what an operator can do."""
    if present == UNFINISHED_COPY:
        return NewerDatabase(f"{name} holds a copy that is not finished: run the same `acervo copy` again")
    return NewerDatabase(
        f"{name} was written by a newer version of this program (its tables are at {present}, this version knows up to "
        f"{newest}): install that version, or restore a backup made by this one"
    )
