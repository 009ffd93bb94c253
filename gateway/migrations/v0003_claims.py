"""Who is handing an entry over: several gateways share one outbox. Older programs just do not look."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
works_with = "0002"


def upgrade() -> None:
    """Add the claim."""
    op.add_column("outbox", sa.Column("claimed_by", sa.Text, nullable=False, server_default=""))
    op.add_column("outbox", sa.Column("claimed_until", sa.Float, nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("outbox", "claimed_until")
    op.drop_column("outbox", "claimed_by")
