"""Jobs of other kinds than taking one document in, several documents by one job, and compressed segments of vectors."""

from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")  # seconds since the epoch

_FOUND = "state IN ('SUCCEEDED', 'SUCCEEDED_PARTIALLY')"
_OUTCOMES = "outcome IN ('CREATED', 'UPDATED', 'UNCHANGED')"
_INGESTED = f"kind = 'INGEST' AND {_FOUND}"

# By table and constraint: the check before, and the check from now on.
_CHECKS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "job": {
        "kind": ("kind IN ('INGEST')", "kind IN ('INGEST', 'TEXTS', 'DELETE', 'MAINTENANCE')"),
        "document_key": ("document_key <> ''", "(document_key <> '') = (kind = 'INGEST')"),
        "outcome": (
            f"(outcome IS NOT NULL) = ({_FOUND}) AND {_OUTCOMES}",
            f"(outcome IS NOT NULL) = ({_INGESTED}) AND {_OUTCOMES}",
        ),
        "document": (
            f"(document_id <> '') = ({_FOUND}) AND (document_version > 0) = ({_FOUND})",
            f"(document_id <> '') = ({_INGESTED}) AND (document_version > 0) = ({_INGESTED})",
        ),
        # What deletes by a filter may find nothing, and then changes nothing.
        "sequence": (
            f"(sequence > 0) = ({_FOUND})",
            f"(sequence > 0) = ({_FOUND}) OR (kind <> 'INGEST' AND sequence = 0)",
        ),
    },
    "change": {
        "kind": ("kind IN ('PUBLISHED', 'DELETED')", "kind IN ('PUBLISHED', 'DELETED', 'SEGMENT')"),
    },
}


def upgrade() -> None:
    """Loosen the checks for the new kinds, then add what they need."""
    _change_checks(before=0, after=1)
    op.add_column("job", sa.Column("parameters", sa.Text(), nullable=False, server_default="{}"))  # JSON, by kind
    op.add_column("job", sa.Column("result", sa.Text(), nullable=False, server_default="{}"))  # JSON: counts
    op.add_column("change", sa.Column("segment_id", BIG, nullable=False, server_default="0"))
    op.drop_index("uq_version_job", "version")
    _unique_while("uq_version_job", "version", ["job_id", "document_key"], "state <> 'RETIRED'")
    _segment()
    open_one = "kind = 'MAINTENANCE' AND state IN ('QUEUED', 'RUNNING')"
    _unique_while("uq_job_maintenance", "job", ["collection"], open_one)


def downgrade() -> None:
    """Forget what revision 0001 has no words for: the jobs of the new kinds, and the segments with their entries."""
    op.drop_index("uq_job_maintenance", "job")
    op.drop_table("segment")
    # The log stays dense: an entry about no document changes nothing.
    op.execute("UPDATE change SET kind = 'DELETED' WHERE kind = 'SEGMENT'")
    op.drop_index("uq_version_job", "version")
    op.execute("UPDATE version SET state = 'RETIRED' WHERE state = 'STAGED'")
    _unique_while("uq_version_job", "version", ["job_id"], "state = 'STAGED'")
    op.execute("DELETE FROM job WHERE kind <> 'INGEST'")
    op.drop_column("change", "segment_id")
    op.drop_column("job", "result")
    op.drop_column("job", "parameters")
    _change_checks(before=1, after=0)


def _segment() -> None:
    op.create_table(
        "segment",
        sa.Column("segment_id", BIG, primary_key=True, autoincrement=True),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", BIG, nullable=False),
        sa.Column("row_count", BIG, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sequence", BIG, nullable=False),  # of the change that published it
        sa.Column("create_time", TIME, nullable=False),
        sa.CheckConstraint("state IN ('CURRENT', 'RETIRED')", name="ck_segment_state"),
        sa.CheckConstraint("length(sha256) = 64 AND size_bytes > 0 AND row_count > 0", name="ck_segment_whole"),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_index("ix_segment_collection", "segment", ["collection", "state"])
    op.create_index("ix_segment_sha256", "segment", ["sha256"])


def _unique_while(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=True, sqlite_where=where, postgresql_where=where)


def _change_checks(*, before: int, after: int) -> None:
    for table, checks in _CHECKS.items():
        for name, versions in checks.items():
            constraint = f"ck_{table}_{name}"
            if op.get_context().dialect.name == "sqlite":
                _rewrite(table, _as_written(constraint, versions[before]), _as_written(constraint, versions[after]))
            else:
                op.drop_constraint(constraint, table)
                op.create_check_constraint(constraint, table, versions[after])


def _rewrite(table: str, written: str, rewritten: str) -> None:
    """Change a check where SQLite keeps it; it has no statement for that (lang_altertable.html, section 7).

    What adds or drops a column afterwards makes every connection read the tables' definitions again.
    """
    quoted = [text.replace("'", "''") for text in (written, rewritten)]
    op.execute("PRAGMA writable_schema = ON")
    op.execute(
        f"UPDATE sqlite_schema SET sql = replace(sql, '{quoted[0]}', '{quoted[1]}')"  # noqa: S608 - constants
        f" WHERE type = 'table' AND name = '{table}'"
    )
    op.execute("PRAGMA writable_schema = RESET")


def _as_written(constraint: str, check: str) -> str:
    return f"CONSTRAINT {constraint} CHECK ({check})"
