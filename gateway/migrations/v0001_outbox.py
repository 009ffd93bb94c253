"""The outbox of acknowledged uploads."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
FLAG = sa.Integer().with_variant(sa.Boolean(), "postgresql")
# By code point in both databases: pages of a list go on where the last one ended.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make it."""
    op.create_table(
        "outbox",
        # The order of acceptance. A retried upload gets a new one, at the end.
        sa.Column("position", BIG, primary_key=True),
        sa.Column("job_id", TEXT, nullable=False, unique=True),
        sa.Column("request_id", TEXT, nullable=False),
        sa.Column("collection", TEXT, nullable=False),
        sa.Column("document_key", TEXT, nullable=False),
        sa.Column("file_name", TEXT, nullable=False),
        sa.Column("media_type", TEXT, nullable=False),
        sa.Column("metadata_json", TEXT, nullable=False),
        sa.Column("tags_json", TEXT, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("sha256", TEXT, nullable=False),
        sa.Column("size_bytes", BIG, nullable=False),
        sa.Column("traceparent", TEXT, nullable=False),
        sa.Column("origin_request_id", TEXT, nullable=False),
        sa.Column("accept_time", sa.Float, nullable=False),
        sa.Column("update_time", sa.Float, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("open", FLAG, nullable=False),
        sa.Column("known_as", TEXT, nullable=False),
        sa.Column("refusal_json", TEXT),
        sa.CheckConstraint("state IN ('PENDING', 'FORWARDED', 'REFUSED', 'CANCELLED')", name="state_is_known"),
        sa.CheckConstraint("(state = 'REFUSED') = (refusal_json IS NOT NULL)", name="refusal_iff_refused"),
        sa.CheckConstraint("(state = 'FORWARDED') = (known_as <> '')", name="known_as_iff_forwarded"),
        sa.CheckConstraint("state <> 'PENDING' OR open", name="pending_is_open"),
        sa.CheckConstraint("state NOT IN ('FORWARDED', 'REFUSED') OR NOT open", name="settled_is_not_open"),
        sa.CheckConstraint("length(sha256) = 64 AND size_bytes >= 0", name="blob_is_named"),
        sa.CheckConstraint("priority BETWEEN 0 AND 9", name="priority_in_range"),
    )
    _index("outbox_request_id", ["request_id"], where="request_id <> ''", unique=True)
    _index("outbox_open", ["collection", "document_key", "position"], where="open")
    _index("outbox_due", ["position"], where="open")
    _index("outbox_local", ["job_id"], where="state <> 'FORWARDED'")
    op.create_index("outbox_update_time", "outbox", ["update_time"])


def _index(name: str, columns: list[str], *, where: str, unique: bool = False) -> None:
    only = sa.text(where)
    op.create_index(name, "outbox", columns, unique=unique, sqlite_where=only, postgresql_where=only)


def downgrade() -> None:
    """Drop it."""
    op.drop_table("outbox")
