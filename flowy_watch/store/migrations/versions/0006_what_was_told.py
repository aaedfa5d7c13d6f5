"""When an alert was told, in which figures, and what keeps it from being told."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("alerts") as batch_op:
        batch_op.add_column(sa.Column("told_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column("shown_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column("shown_title", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("shown_spent_microcredits", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("held_by", sa.Text(), server_default="", nullable=False))
    # What was told before this version counts as told when it was last seen: no timer runs off at once.
    op.execute("UPDATE alerts SET told_at = last_seen_at WHERE told_level > 0")
