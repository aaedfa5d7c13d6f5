"""Spend may be unknown: a source such as the probe lists keys and does not know what they spent."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("snapshots", "daily_snapshots"):
        with op.batch_alter_table(table, table_kwargs={"sqlite_with_rowid": False}) as batch_op:
            batch_op.alter_column("spent_microcredits", existing_type=sa.BigInteger(), nullable=True)
