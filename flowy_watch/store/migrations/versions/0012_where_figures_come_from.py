"""Where figures come from, how requests were answered, which source failed; and acts that belong to a key."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "provenances",
        sa.Column("key_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("provenance", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["key_no"], ["keys.key_no"]),
        sa.PrimaryKeyConstraint("key_no"),
    )
    op.create_table(
        "daily_answers",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("key_no", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("capped", sa.Integer(), nullable=False),
        sa.Column("throttled", sa.Integer(), nullable=False),
        sa.Column("unpriced", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["key_no"], ["keys.key_no"]),
        sa.PrimaryKeyConstraint("day", "key_no"),
    )
    op.create_table(
        "troubles",
        sa.Column("poll_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["poll_id"], ["polls.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("poll_id", "source"),
    )
    with op.batch_alter_table("audit") as batch_op:
        batch_op.alter_column("silence_id", existing_type=sa.Integer(), nullable=True)
        batch_op.add_column(sa.Column("key_id", sa.Text(), server_default="", nullable=False))
