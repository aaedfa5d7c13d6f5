"""Notifications not yet delivered, and what became of the others."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from flowy_watch.core.notification import Notification
from flowy_watch.store.codec import dump_notification, load_notification
from flowy_watch.store.tables import OutboxRow

WAITING, SENT, DEAD, WITHHELD = "waiting", "sent", "dead", "withheld"

_outbox = OutboxRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it, without telling mypy


@dataclass(frozen=True, slots=True)
class Claimed:
    """A notification leased to one worker: nobody else sends it until the lease ends."""

    outbox_id: str
    alert_id: int
    tries: int
    created_at: datetime
    notification: Notification
    earlier: str
    """The remote id of what was last delivered about this alert on this channel; empty when nothing was."""


class Outbox:
    """One instance per transaction; never commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, notifications: Iterable[Notification]) -> int:
        """Store them, the withheld ones too, and return how many wait to be sent."""
        rows = [_row(notification) for notification in notifications]
        if rows:
            self._connection.execute(insert(_outbox), rows)
        return sum(row["status"] == WAITING for row in rows)

    def claim(self, channel: str, *, now: datetime, until: datetime) -> Claimed | None:
        """Lease the oldest waiting notification of a channel, if it is due and nobody else has it.

        Strictly in order: while the oldest waits for its next try, or is leased, the younger ones wait behind it.
        """
        waiting = and_(_outbox.c.channel == channel, _outbox.c.status == WAITING)
        row = self._connection.execute(select(_outbox).where(waiting).order_by(_outbox.c.seq).limit(1)).first()
        if row is None or row.due_at > now or (row.leased_until is not None and row.leased_until > now):
            return None
        try:
            notification = load_notification(row.payload)
        except ValueError:
            self.dead(row.id, reason="written by another version, which this one cannot read")
            return None
        self._connection.execute(
            update(_outbox).where(_outbox.c.seq == row.seq).values(leased_until=until, tries=row.tries + 1)
        )
        return Claimed(row.id, row.alert_id, row.tries + 1, row.created_at, notification, self._earlier(row))

    def _earlier(self, row: Row[Any]) -> str:
        query = select(_outbox.c.remote_id).where(
            _outbox.c.alert_id == row.alert_id,
            _outbox.c.channel == row.channel,
            _outbox.c.status == SENT,
            _outbox.c.remote_id != "",
        )
        return self._connection.execute(query.order_by(_outbox.c.seq.desc()).limit(1)).scalar() or ""

    def sent(self, outbox_id: str, *, at: datetime, remote_id: str, reason: str = "") -> None:
        self._set(outbox_id, status=SENT, sent_at=at, remote_id=remote_id, reason=reason, leased_until=None)

    def later(self, outbox_id: str, *, due_at: datetime, reason: str) -> None:
        self._set(outbox_id, due_at=due_at, reason=reason, leased_until=None)

    def dead(self, outbox_id: str, *, reason: str) -> None:
        self._set(outbox_id, status=DEAD, reason=reason, leased_until=None)

    def _set(self, outbox_id: str, **values: Any) -> None:
        self._connection.execute(update(_outbox).where(_outbox.c.id == outbox_id).values(**values))

    def next_due(self, channel: str) -> datetime | None:
        """When the oldest waiting notification of a channel may be tried; None when nothing waits."""
        row = self._connection.execute(
            select(_outbox.c.due_at, _outbox.c.leased_until)
            .where(_outbox.c.channel == channel, _outbox.c.status == WAITING)
            .order_by(_outbox.c.seq)
            .limit(1)
        ).first()
        return None if row is None else max(row.due_at, row.leased_until or row.due_at)

    def story(self, alert_id: int) -> list[Row[Any]]:
        """Every notice of one alert, sent and withheld, oldest first."""
        query = select(_outbox).where(_outbox.c.alert_id == alert_id).order_by(_outbox.c.seq)
        return list(self._connection.execute(query))

    def counts(self) -> dict[tuple[str, str], int]:
        """By channel and status; withheld ones have no channel."""
        query = select(_outbox.c.channel, _outbox.c.status, func.count()).group_by(_outbox.c.channel, _outbox.c.status)
        return {(channel, status): count for channel, status, count in self._connection.execute(query)}

    def dead_letters(self, most: int = 20) -> list[Row[Any]]:
        query = select(_outbox).where(_outbox.c.status == DEAD).order_by(_outbox.c.seq.desc()).limit(most)
        return list(self._connection.execute(query))

    def prune(self, before: datetime) -> int:
        """Forget notices of long ago that were sent or withheld. Waiting and dead ones stay."""
        old = and_(_outbox.c.created_at < before, or_(_outbox.c.status == SENT, _outbox.c.status == WITHHELD))
        return self._connection.execute(delete(_outbox).where(old)).rowcount


def _row(notification: Notification) -> dict[str, Any]:
    return {
        "id": uuid4().hex,
        "alert_id": notification.alert.id,
        "channel": notification.channel,
        "change": notification.change.value,
        "status": WITHHELD if notification.withheld else WAITING,
        "created_at": notification.created_at,
        "due_at": notification.created_at,
        "tries": 0,
        "remote_id": "",
        "reason": notification.withheld,
        "payload": dump_notification(notification),
    }
