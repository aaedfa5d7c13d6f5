"""Notices that travel together."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("outbox") as batch_op:
        batch_op.add_column(sa.Column("carrier", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("page", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("form", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("headline", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("doubtful", sa.Boolean(), server_default=sa.false(), nullable=False))
    # A notice that was told with another one of its key has been heard.
    op.execute("UPDATE outbox SET sent_at = created_at WHERE status = 'withheld' AND channel <> ''")
    # What a version before this one was sending when it ended may have arrived.
    op.execute(
        sa.text(
            "UPDATE outbox SET carrier = id, page = 1, form = 'alone', doubtful = :yes "
            "WHERE status = 'waiting' AND tries > 0"
        ).bindparams(yes=True)
    )
