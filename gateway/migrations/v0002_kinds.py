"""Texts beside files in the outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add what an entry is about."""
    op.add_column("outbox", sa.Column("kind", sa.Text, nullable=False, server_default="INGEST"))


def downgrade() -> None:
    """Forget the texts that wait, and the column."""
    op.execute("DELETE FROM outbox WHERE kind <> 'INGEST'")
    op.drop_column("outbox", "kind")
