"""Silences that are expectations."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("silences") as batch_op:
        batch_op.add_column(sa.Column("expected", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("at_most_microcredits", sa.BigInteger(), nullable=True))
