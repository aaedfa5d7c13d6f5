"""The tables. Columns of credits hold integers of micro-credits and say so.

Longer than most: one schema in one place, as the migrations see it.
"""

from datetime import date, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlmodel import Field, SQLModel

BIG = BigInteger().with_variant(Integer, "sqlite")
"""64 bits on both; SQLite counts up only for columns of type INTEGER."""


class Poll(SQLModel, table=True):
    """One try to read usage, good or not. Imported snapshots belong to polls of kind `import`."""

    __tablename__ = "polls"

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    kind: str
    taken_at: datetime = Field(index=True)
    outcome: str
    reason: str = Field(default="", sa_type=Text)
    refused: bool = False
    keys: int = 0
    skipped: int = 0
    clock_offset_seconds: float | None = None


class Key(SQLModel, table=True):
    """A key ever seen. `key_no` is our short number for it; `key_id` is the source's."""

    __tablename__ = "keys"

    key_no: int | None = Field(default=None, primary_key=True)
    key_id: str = Field(unique=True, sa_type=Text)
    name: str = Field(sa_type=Text)
    last_four: str = ""
    created_at: datetime | None = None
    first_seen_at: datetime


class SnapshotRow(SQLModel, table=True):
    """One key's counters in one poll; `taken_at` is the poll's.

    Clustered by poll: a poll appends, whatever the number of keys. One key's rows are found through the polls of a
    span, one look-up each.
    """

    __tablename__ = "snapshots"
    __table_args__ = {"sqlite_with_rowid": False}  # SQLAlchemy's form

    poll_id: int = Field(sa_column=Column(BIG, ForeignKey("polls.id", ondelete="CASCADE"), primary_key=True))
    key_no: int = Field(foreign_key="keys.key_no", primary_key=True)
    spent_microcredits: int | None = Field(default=None, sa_type=BigInteger)
    """Null from a source that does not know it."""
    daily_cap_microcredits: int | None = Field(default=None, sa_type=BigInteger)
    last_used_at: datetime | None = None
    status: str
    rate_limit_per_minute: int | None = Field(default=None, sa_type=BigInteger)


class DailySnapshot(SQLModel, table=True):
    """One key's UTC day; `complete` once a poll closed it. While it runs, `RunningDay` may know of later figures."""

    __tablename__ = "daily_snapshots"
    __table_args__ = {"sqlite_with_rowid": False}  # SQLAlchemy's form

    day: date = Field(primary_key=True)
    key_no: int = Field(foreign_key="keys.key_no", primary_key=True)
    spent_microcredits: int | None = Field(default=None, sa_type=BigInteger)
    daily_cap_microcredits: int | None = Field(default=None, sa_type=BigInteger)
    last_used_at: datetime | None = None
    status: str
    polls: int
    last_taken_at: datetime
    complete: bool


class RunningDay(SQLModel, table=True):
    """A day with polls that its daily snapshots do not have yet: the latest of them, and how many there are.

    All of them list the same keys, each of which has a daily snapshot of that day already.
    """

    __tablename__ = "running_days"

    day: date = Field(primary_key=True)
    poll_id: int = Field(sa_column=Column(BIG, ForeignKey("polls.id"), nullable=False))
    taken_at: datetime
    polls: int


class ProvenanceRow(SQLModel, table=True):
    """Where a key's figures come from, as JSON; none for what a single exact source tells."""

    __tablename__ = "provenances"

    key_no: int = Field(sa_column=Column(Integer, ForeignKey("keys.key_no"), primary_key=True, autoincrement=False))
    provenance: str = Field(sa_type=Text)


class DailyAnswers(SQLModel, table=True):
    """How often a key was refused on a UTC day: 401, 402, 429, and runs that no price is known for."""

    __tablename__ = "daily_answers"

    day: date = Field(primary_key=True)
    key_no: int = Field(foreign_key="keys.key_no", primary_key=True)
    refused: int
    capped: int
    throttled: int
    unpriced: int


class Trouble(SQLModel, table=True):
    """A source that failed in a poll in which others did not."""

    __tablename__ = "troubles"

    poll_id: int = Field(sa_column=Column(BIG, ForeignKey("polls.id", ondelete="CASCADE"), primary_key=True))
    source: str = Field(primary_key=True, sa_type=Text)
    reason: str = Field(sa_type=Text)
    refused: bool


class Balance(SQLModel, table=True):
    __tablename__ = "balances"

    taken_at: datetime = Field(primary_key=True)
    balance_microcredits: int = Field(sa_type=BigInteger)


class HistoryState(SQLModel, table=True):
    """Where a key's history stood at `as_of`, so that a start replays an hour of polls and not five weeks.

    `key_no` 0 is the workspace. Everything here can be made again from the snapshots.
    """

    __tablename__ = "history_states"

    key_no: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    as_of: datetime
    state: str = Field(sa_type=Text)
    baseline: bytes = Field(sa_type=LargeBinary)


class AlertRow(SQLModel, table=True):
    __tablename__ = "alerts"
    __table_args__ = (
        Index(
            "one_unresolved_alert_per_fingerprint",
            "fingerprint",
            unique=True,
            sqlite_where=text("status <> 'resolved'"),
            postgresql_where=text("status <> 'resolved'"),
        ),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    fingerprint: str = Field(sa_type=Text)
    kind: str
    key_id: str | None = Field(default=None, sa_type=Text)
    key_name: str = Field(default="", sa_type=Text)
    severity: str
    status: str = Field(index=True)
    level: int
    told_level: int = 0
    title: str = Field(sa_type=Text)
    opened_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None = Field(default=None, index=True)
    acknowledged_by: str = Field(default="", sa_type=Text)
    acknowledged_until: datetime | None = None
    finding: str = Field(sa_type=Text)
    told_at: datetime | None = None
    shown_at: datetime | None = None
    shown_title: str = Field(default="", sa_column=Column(Text, server_default="", nullable=False))
    shown_spent_microcredits: int | None = Field(default=None, sa_column=Column(BigInteger))
    held_by: str = Field(default="", sa_column=Column(Text, server_default="", nullable=False))
    began_at: datetime | None = None
    stop: str = Field(default="", sa_column=Column(Text, server_default="", nullable=False))
    """What is known of its key's revoke, as JSON; empty while nobody speaks of one."""
    wobble: str = Field(default="", sa_column=Column(Text, server_default="", nullable=False))
    """How often it came back, as JSON; empty when it never did."""


class TransitionRow(SQLModel, table=True):
    """What happened to an alert, by a poll or a person. Only ever added to."""

    __tablename__ = "transitions"

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    alert_id: int = Field(sa_column=Column(BIG, ForeignKey("alerts.id"), index=True, nullable=False))
    at: datetime
    change: str
    severity: str
    level: int
    title: str = Field(sa_type=Text)
    by: str = Field(default="", sa_type=Text)
    why: str = Field(default="", sa_type=Text)


class AuditRow(SQLModel, table=True):
    """What people did that belongs to no single alert: silences, expectations, blocks. Only ever added to."""

    __tablename__ = "audit"

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    at: datetime
    act: str
    silence_id: int | None = Field(default=None, foreign_key="silences.id", index=True)
    key_id: str = Field(default="", sa_column=Column(Text, server_default="", nullable=False))
    """Of a block; empty for all others."""
    words: str = Field(sa_type=Text)
    by: str = Field(default="", sa_type=Text)
    why: str = Field(default="", sa_type=Text)


class SmallAnomaly(SQLModel, table=True):
    """An episode that was odd and worth too little for an alert; its words are those of its worst moment."""

    __tablename__ = "small_anomalies"

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    fingerprint: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    key_id: str = Field(sa_type=Text)
    key_name: str = Field(sa_type=Text)
    title: str = Field(sa_type=Text)
    opened_at: datetime
    last_seen_at: datetime = Field(index=True)
    excess_microcredits: int = Field(sa_type=BigInteger)
    least_microcredits: int = Field(sa_type=BigInteger)
    """From so much on it would have been an alert."""


class ButtonsRow(SQLModel, table=True):
    """Whether presses of a channel's buttons can be heard, as the daemon last saw it."""

    __tablename__ = "buttons"

    channel: str = Field(primary_key=True, sa_type=Text)
    trouble: str = Field(sa_type=Text)
    """Why not; empty while they can."""
    since_at: datetime


class SilenceRow(SQLModel, table=True):
    __tablename__ = "silences"

    id: int | None = Field(default=None, primary_key=True)
    pattern: str = Field(sa_type=Text)
    kind: str = ""
    until: datetime
    created_at: datetime
    ended_at: datetime | None = None
    ended_by: str = Field(default="", sa_type=Text)
    why: str = Field(default="", sa_type=Text)
    by: str = Field(default="", sa_type=Text)
    expected: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    at_most_microcredits: int | None = Field(default=None, sa_column=Column(BigInteger))


class OutboxRow(SQLModel, table=True):
    """A notification on its way, delivered, dead, or withheld: the story that `why` tells.

    `seq` keeps the order within a channel; `id` is what the other side sees.

    Notices that travel in one message share a `carrier`: the one under whose id the message is sent. It is written
    before the first try and stays until an answer says that nothing was taken, so that every try is the same message.
    """

    __tablename__ = "outbox"
    __table_args__ = (Index("outbox_waiting", "channel", "seq", sqlite_where=text("status = 'waiting'")),)

    seq: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    id: str = Field(unique=True)
    alert_id: int | None = Field(default=None, sa_column=Column(BIG, ForeignKey("alerts.id"), index=True))
    channel: str
    change: str
    status: str
    created_at: datetime
    due_at: datetime
    tries: int = 0
    leased_until: datetime | None = None
    tried_at: datetime | None = None
    """When its pause began: by a clock that was set back since, no longer is waited than until `due_at` was then."""
    sent_at: datetime | None = None
    remote_id: str = Field(default="", sa_type=Text)
    reason: str = Field(default="", sa_type=Text)
    held_until: datetime | None = None
    """The end of the channel's quiet hours, when it is not to be sent before it."""
    carrier: str = Field(default="", sa_column=Column(Text, server_default="", nullable=False))
    """Empty while it is open in which message this notice will travel."""
    page: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """The place of its message among those made at once, from 1."""
    form: str = Field(default="", sa_column=Column(Text, server_default="", nullable=False))
    headline: str = Field(default="", sa_column=Column(Text, server_default="", nullable=False))
    """The first line of a message about many; only the carrier has it."""
    doubtful: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    """An earlier try may have arrived."""
    settled: dict[str, str] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    """Recipients with whom it is over while others wait, and why each was refused: empty for those who have it. Once it
    is sent, only those who were refused. None for all other notices."""
    words: bytes | None = Field(default=None, sa_type=LargeBinary)
    """What people read of a message that was tried and is to be tried again; only its carrier has it."""
    payload: dict[str, object] = Field(default_factory=dict, sa_type=JSON)


class DigestRow(SQLModel, table=True):
    """One digest of one recipient: planned, then put into the outbox, or passed over.

    The constraint is the promise that nobody gets the digest of a period twice.
    """

    __tablename__ = "digests"
    __table_args__ = (
        UniqueConstraint("channel", "recipient", "owner", "period", name="one_digest_per_recipient_and_period"),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    channel: str = Field(sa_type=Text)
    recipient: str = Field(default="", sa_type=Text)
    owner: str = Field(default="", sa_type=Text)
    span: str
    period: str
    planned_at: datetime
    """When people want to read it."""
    due_at: datetime = Field(index=True)
    """When it is looked at next: later than planned while late figures may come in."""
    done_at: datetime | None = None
    outcome: str = ""
    """Empty until it is done: `sent` (it is in the outbox), `empty` or `skipped`."""


class LoginCodeRow(SQLModel, table=True):
    """A link to sign in with once. What is kept is a hash: nobody signs in with what stands here."""

    __tablename__ = "login_codes"

    code_hash: str = Field(primary_key=True)
    role: str
    by: str = Field(sa_type=Text)
    expires_at: datetime
    used_at: datetime | None = None


class WebSessionRow(SQLModel, table=True):
    """Somebody signed in to the dashboard. `bound` ties it to the token it was opened with, if it was by one."""

    __tablename__ = "web_sessions"

    session_hash: str = Field(primary_key=True)
    role: str
    by: str = Field(sa_type=Text)
    bound: str = ""
    expires_at: datetime
