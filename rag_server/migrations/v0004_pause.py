"""Whether the queue is paused, for all workers."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
# A worker of the version before pays no regard to a pause, and does no harm.
works_with = "0003"

TIME: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")  # seconds since the epoch


def upgrade() -> None:
    """Make the table. Where it has no row the queue was never paused."""
    op.create_table(
        "queue_state",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("pause_time", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_queue_state"),
        sa.CheckConstraint("id = 1", name="ck_queue_state_one"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    """Forget it: the queue goes on."""
    op.drop_table("queue_state")
