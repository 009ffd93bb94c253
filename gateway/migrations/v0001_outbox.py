"""The outbox of acknowledged uploads."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make it."""
    op.create_table(
        "outbox",
        # The order of acceptance. A retried upload gets a new one, at the end.
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("job_id", sa.Text, nullable=False, unique=True),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("collection", sa.Text, nullable=False),
        sa.Column("document_key", sa.Text, nullable=False),
        sa.Column("file_name", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("metadata_json", sa.Text, nullable=False),
        sa.Column("tags_json", sa.Text, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.Integer, nullable=False),
        sa.Column("traceparent", sa.Text, nullable=False),
        sa.Column("origin_request_id", sa.Text, nullable=False),
        sa.Column("accept_time", sa.Float, nullable=False),
        sa.Column("update_time", sa.Float, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("open", sa.Integer, nullable=False),
        sa.Column("known_as", sa.Text, nullable=False),
        sa.Column("refusal_json", sa.Text),
        sa.CheckConstraint("state IN ('PENDING', 'FORWARDED', 'REFUSED', 'CANCELLED')", name="state_is_known"),
        sa.CheckConstraint("(state = 'REFUSED') = (refusal_json IS NOT NULL)", name="refusal_iff_refused"),
        sa.CheckConstraint("(state = 'FORWARDED') = (known_as <> '')", name="known_as_iff_forwarded"),
        sa.CheckConstraint("state <> 'PENDING' OR open", name="pending_is_open"),
        sa.CheckConstraint("state NOT IN ('FORWARDED', 'REFUSED') OR NOT open", name="settled_is_not_open"),
        sa.CheckConstraint("length(sha256) = 64 AND size_bytes >= 0", name="blob_is_named"),
        sa.CheckConstraint("priority BETWEEN 0 AND 9", name="priority_in_range"),
    )
    given = sa.text("request_id <> ''")
    op.create_index("outbox_request_id", "outbox", ["request_id"], unique=True, sqlite_where=given)
    due = sa.text("open")
    op.create_index("outbox_open", "outbox", ["collection", "document_key", "position"], sqlite_where=due)
    op.create_index("outbox_due", "outbox", ["position"], sqlite_where=due)
    local = sa.text("state <> 'FORWARDED'")
    op.create_index("outbox_local", "outbox", ["job_id"], sqlite_where=local)
    op.create_index("outbox_update_time", "outbox", ["update_time"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("outbox")
