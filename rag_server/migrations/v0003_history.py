"""What is told of versions that were replaced, and which bytes hold a text that came with others."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")  # seconds since the epoch


def upgrade() -> None:
    """Make the table, and add the column."""
    op.create_table(
        "history",
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("number", BIG, nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("document_key", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", BIG, nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("publish_time", TIME, nullable=False),
        sa.Column("chunk_count", BIG, nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("document_id", "number", name="pk_history"),
        sa.CheckConstraint("number > 0", name="ck_history_number"),
        sqlite_strict=True,
    )
    op.create_index("ix_history_key", "history", ["collection", "document_key"])
    # SHA-256 of the file of texts that the version's own bytes are a line of; empty where they are a file of their own.
    op.add_column("version", sa.Column("part_of", sa.Text(), nullable=False, server_default=""))
    condition = sa.text("part_of <> ''")
    op.create_index("ix_version_part_of", "version", ["part_of"], sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    """Forget both."""
    op.drop_index("ix_version_part_of", "version")
    op.drop_column("version", "part_of")
    op.drop_table("history")
