"""The first tables: jobs, documents with their versions, pages and chunks, and the change log.

The CHECKs make half-states unwritable; DESIGN.md, section 4, tells what the states mean.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SMALL = sa.Integer()
# By code point in both databases: pages of a list go on where the last one ended.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")  # seconds since the epoch
TABLES = ("tombstone", "change", "chunk", "page", "document", "version", "job", "pinned_model", "collection")


def upgrade() -> None:
    """Make the tables, those that others refer to first."""
    _holdings()
    _job()
    _job_indexes()
    _version()
    _document()
    _content()
    _change_log()


def downgrade() -> None:
    """Drop everything."""
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP TABLE IF EXISTS nearest_chunk")  # made by the server, where vectors are searched there
    for table in TABLES:
        op.drop_table(table)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, TEXT, nullable=null)


def _number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=null)


def _time(name: str, *, null: bool = False) -> sa.Column[float]:
    return sa.Column(name, TIME, nullable=null)


def _serial(name: str) -> sa.Column[int]:
    return sa.Column(name, BIG, primary_key=True, autoincrement=True)


def _index(name: str, table: str, columns: list[str], *, where: str = "", unique: bool = False) -> None:
    condition = sa.text(where) if where else None
    expressions = [sa.text(column) if " " in column else column for column in columns]
    op.create_index(name, table, expressions, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _holdings() -> None:
    op.create_table(
        "collection",
        sa.Column("collection", TEXT, primary_key=True),
        _time("create_time"),
        sqlite_strict=True,
    )
    op.create_table(
        "pinned_model",
        sa.Column("singleton", BIG, primary_key=True, autoincrement=False),
        _text("fingerprint"),
        _text("name"),
        _number("dimensions"),
        sa.CheckConstraint("singleton = 1", name="ck_pinned_model_singleton"),
        sa.CheckConstraint("dimensions > 0", name="ck_pinned_model_dimensions"),
        sa.UniqueConstraint("fingerprint", name="uq_pinned_model_fingerprint"),
        sqlite_strict=True,
    )


def _job() -> None:
    op.create_table(
        "job",
        _serial("admission"),  # the order of asking
        _text("job_id"),
        _text("kind"),
        _text("collection"),
        _text("document_key"),
        _text("file_name"),
        _text("sha256"),
        _number("size_bytes"),
        _text("media_type"),
        _text("metadata"),  # JSON, as are tags, progress, failure and problem
        _text("tags"),
        sa.Column("priority", SMALL, nullable=False),
        _text("request_id"),
        _text("traceparent"),
        _text("origin_request_id"),
        _text("state"),
        _number("revision"),
        _time("create_time"),
        _time("update_time"),
        _time("start_time", null=True),
        _time("end_time", null=True),
        _time("next_attempt_time", null=True),
        sa.Column("attempt", SMALL, nullable=False),
        sa.Column("crashes", SMALL, nullable=False),
        sa.Column("cancel_requested", SMALL, nullable=False),
        _number("fence"),
        _text("slot", null=True),
        _time("lease_end", null=True),
        _text("progress"),
        _text("failure", null=True),
        _text("problem", null=True),
        _text("document_id"),
        _number("document_version"),
        _text("outcome", null=True),
        _number("sequence"),
        sa.UniqueConstraint("job_id", name="uq_job_job_id"),
        *_job_checks(),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )


def _job_checks() -> list[sa.CheckConstraint]:
    found = "state IN ('SUCCEEDED', 'SUCCEEDED_PARTIALLY')"
    ended = "state IN ('SUCCEEDED', 'SUCCEEDED_PARTIALLY', 'FAILED', 'CANCELLED', 'DEAD')"
    checks = {
        "kind": "kind IN ('INGEST')",
        "state": f"state IN ('QUEUED', 'RUNNING') OR {ended}",
        "collection": "collection <> ''",
        "document_key": "document_key <> ''",
        "priority": "priority BETWEEN 0 AND 9",
        "attempts": "attempt >= 0 AND crashes BETWEEN 0 AND attempt",
        "ended": f"(end_time IS NOT NULL) = ({ended})",
        "leased": "(lease_end IS NOT NULL) = (state = 'RUNNING') AND (slot IS NOT NULL) = (state = 'RUNNING')",
        "waiting": "next_attempt_time IS NULL OR state = 'QUEUED'",
        "cancelling": "cancel_requested = 0 OR (cancel_requested = 1 AND state <> 'QUEUED')",
        "failure": "(failure IS NOT NULL) = (state IN ('FAILED', 'DEAD'))",
        "problem": "(problem IS NOT NULL) = (state = 'SUCCEEDED_PARTIALLY')",
        "outcome": f"(outcome IS NOT NULL) = ({found}) AND outcome IN ('CREATED', 'UPDATED', 'UNCHANGED')",
        "document": f"(document_id <> '') = ({found}) AND (document_version > 0) = ({found})",
        "sequence": f"(sequence > 0) = ({found})",
    }
    return [sa.CheckConstraint(check, name=f"ck_job_{name}") for name, check in checks.items()]


def _job_indexes() -> None:
    _index("uq_job_request_id", "job", ["request_id"], where="request_id <> ''", unique=True)
    _index("ix_job_queue", "job", ["priority DESC", "admission"], where="state = 'QUEUED'")
    _index("ix_job_lease", "job", ["lease_end"], where="state = 'RUNNING'")
    _index("ix_job_open", "job", ["collection", "document_key"], where="state IN ('QUEUED', 'RUNNING')")
    _index("ix_job_collection", "job", ["collection", "job_id"])
    _index("ix_job_state", "job", ["state", "job_id"])
    _index("ix_job_end", "job", ["end_time"], where="end_time IS NOT NULL")


def _version() -> None:
    op.create_table(
        "version",
        _serial("version_id"),
        _text("collection"),
        _text("document_key"),
        _text("job_id"),
        _text("state"),
        sa.Column("erased", SMALL, nullable=False),  # 1: nothing of it may be used again, not even a vector
        _text("sha256"),
        _number("size_bytes"),
        _text("file_name"),
        _text("metadata"),
        _text("tags"),
        _text("pipeline_version"),
        _text("model_fingerprint"),
        # Known from publishing on.
        _text("document_id", null=True),
        _number("number", null=True),
        _number("sequence", null=True),
        _time("publish_time", null=True),
        _text("media_type"),
        _number("page_count"),
        _number("page_total"),
        _number("chunk_count"),
        _number("char_count"),
        _text("properties"),
        _text("problem", null=True),
        sa.ForeignKeyConstraint(["model_fingerprint"], ["pinned_model.fingerprint"], name="fk_version_model"),
        sa.CheckConstraint("state IN ('STAGED', 'CURRENT', 'RETIRED')", name="ck_version_state"),
        sa.CheckConstraint("erased = 0 OR (erased = 1 AND state <> 'CURRENT')", name="ck_version_erased"),
        sa.CheckConstraint(
            "CASE state WHEN 'STAGED' THEN sequence IS NULL WHEN 'CURRENT' THEN sequence IS NOT NULL ELSE 1 = 1 END",
            name="ck_version_published",
        ),
        sa.CheckConstraint(
            "(document_id IS NULL) = (sequence IS NULL) AND (number IS NULL) = (sequence IS NULL)"
            " AND (publish_time IS NULL) = (sequence IS NULL)",
            name="ck_version_whole",
        ),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    _index("uq_version_current", "version", ["collection", "document_key"], where="state = 'CURRENT'", unique=True)
    _index("uq_version_job", "version", ["job_id"], where="state <> 'RETIRED'", unique=True)
    _index("uq_version_number", "version", ["document_id", "number"], where="number IS NOT NULL", unique=True)
    _index("ix_version_key", "version", ["collection", "document_key"])
    _index("ix_version_retired", "version", ["version_id"], where="state = 'RETIRED'")
    _index("ix_version_size", "version", ["collection", "chunk_count"], where="state = 'CURRENT'")


def _document() -> None:
    op.create_table(
        "document",
        _text("collection"),
        _text("document_id"),
        _text("document_key"),
        _number("current_version_id"),
        _number("number"),  # of the current version: 1, 2, 3 …
        _number("admission"),  # of the last job that the document answers to
        _time("create_time"),
        _time("update_time"),
        sa.PrimaryKeyConstraint("collection", "document_id", name="pk_document"),
        sa.UniqueConstraint("collection", "document_key", name="uq_document_key"),
        sa.UniqueConstraint("document_id", name="uq_document_document_id"),
        sa.UniqueConstraint("current_version_id", name="uq_document_current"),
        sa.ForeignKeyConstraint(["collection"], ["collection.collection"], name="fk_document_collection"),
        sa.ForeignKeyConstraint(["current_version_id"], ["version.version_id"], name="fk_document_version"),
        sa.CheckConstraint("number > 0", name="ck_document_number"),
        sa.CheckConstraint("document_key <> ''", name="ck_document_key"),
        sqlite_strict=True,
    )


def _content() -> None:
    op.create_table(
        "page",
        _number("version_id"),
        _number("ordinal"),
        _number("page_number"),
        _number("char_start"),
        _text("text"),  # with its separator: the texts of all pages, joined, are what citations point into
        sa.PrimaryKeyConstraint("version_id", "ordinal", name="pk_page"),
        sa.ForeignKeyConstraint(["version_id"], ["version.version_id"], name="fk_page_version"),
        sqlite_strict=True,
    )
    op.create_table(
        "chunk",
        _serial("chunk_id"),  # never used again
        _number("version_id"),
        _number("ordinal"),
        _text("collection"),
        _number("char_start"),
        _number("char_end"),
        _number("page_first"),
        _number("page_last"),
        _text("headings"),  # JSON, outermost first
        _text("text"),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),  # float32, little endian
        sa.UniqueConstraint("version_id", "ordinal", name="uq_chunk_ordinal"),
        sa.ForeignKeyConstraint(["version_id"], ["version.version_id"], name="fk_chunk_version"),
        sa.CheckConstraint("ordinal >= 0 AND char_start >= 0 AND char_end >= char_start", name="ck_chunk_place"),
        sa.CheckConstraint("length(content_hash) = 32", name="ck_chunk_hash"),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    _index("ix_chunk_hash", "chunk", ["collection", "content_hash"])


def _change_log() -> None:
    op.create_table(
        "change",
        sa.Column("sequence", BIG, primary_key=True, autoincrement=False),  # dense: 1, 2, 3 …
        _text("kind"),
        _text("collection"),
        _text("document_id"),
        _number("version_id"),  # 0 for a delete
        _time("change_time"),
        sa.CheckConstraint("sequence > 0", name="ck_change_sequence"),
        sa.CheckConstraint("kind IN ('PUBLISHED', 'DELETED')", name="ck_change_kind"),
        sa.CheckConstraint("(kind = 'PUBLISHED') = (version_id > 0)", name="ck_change_version"),
        sqlite_strict=True,
    )
    _index("uq_change_published", "change", ["version_id"], where="kind = 'PUBLISHED'", unique=True)
    # What was asked before a delete must not come back: jobs up to `admission` can no longer publish this key.
    op.create_table(
        "tombstone",
        _text("collection"),
        _text("document_key"),  # empty: the whole collection was deleted
        _text("document_id"),
        _number("admission"),
        _number("sequence"),
        _time("delete_time"),
        sa.PrimaryKeyConstraint("collection", "document_key", name="pk_tombstone"),
        sqlite_strict=True,
    )
    _index("ix_tombstone_document", "tombstone", ["document_id"])
