"""Daily snapshots: how polls are counted into them by the hour, and how a running day is read in between."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from flowy_watch.core.usage import CLOSING, DAY, day_of, day_start
from flowy_watch.store.tables import DailySnapshot, RunningDay, SnapshotRow

_days = DailySnapshot.__table__  # type: ignore[attr-defined]  # SQLModel sets it, without telling mypy
_running = RunningDay.__table__  # type: ignore[attr-defined]
_snapshots = SnapshotRow.__table__  # type: ignore[attr-defined]


_waits = _snapshots.c.key_no.isnot(None)

FIGURES: dict[str, ColumnElement[Any]] = {
    "day": _days.c.day,
    "key_no": _days.c.key_no,
    **{
        name: case((_waits, _snapshots.c[name]), else_=_days.c[name]).label(name)
        for name in ("daily_cap_microcredits", "last_used_at", "status")
    },
    # A poll that does not know the spend takes nothing from what an earlier one knew.
    "spent_microcredits": func.coalesce(_snapshots.c.spent_microcredits, _days.c.spent_microcredits).label(
        "spent_microcredits"
    ),
    "polls": (_days.c.polls + case((_waits, _running.c.polls), else_=0)).label("polls"),
    "last_taken_at": case((_waits, _running.c.taken_at), else_=_days.c.last_taken_at).label("last_taken_at"),
    "complete": _days.c.complete,
}
"""The columns of daily snapshots as they stand, with the polls that are not counted yet."""


def beside(table: FromClause, *, key_no: Any, day: Any) -> FromClause:
    """`table` and, where there are any, the daily snapshots of a key's day: where `FIGURES` are selected from."""
    return _with_waiting(table.outerjoin(_days, and_(_days.c.key_no == key_no, _days.c.day == day)))


def _with_waiting(days: FromClause) -> FromClause:
    of_key = and_(_snapshots.c.poll_id == _running.c.poll_id, _snapshots.c.key_no == _days.c.key_no)
    return days.outerjoin(_running, _running.c.day == _days.c.day).outerjoin(_snapshots, of_key)


days_now = select(*FIGURES.values()).select_from(_with_waiting(_days)).subquery("days_now")
"""Daily snapshots as they stand, to read from.

For an outer join there is `beside`: to the right of one, SQLite would work out all days of this before it looks.
"""


@dataclass(slots=True)
class Listed:
    """What the last poll listed, for a process that makes every poll: whether the next may wait to be counted."""

    at: datetime | None = None
    key_nos: Sequence[int] = field(default=())
    unknown: Sequence[int] = field(default=())
    """Those of them whose spend it did not know."""


class Days:
    """One instance per transaction; never commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
        self._upsert = dialect.insert

    def add(
        self, poll_id: int, at: datetime, key_nos: Sequence[int], after: Listed | None, unknown: Sequence[int] = ()
    ) -> None:
        """Count a poll that listed these keys, now or within the hour; of those in `unknown` not what they spent.

        One that lists and knows what the poll before it did takes that one's place, and may wait: nothing is known of
        the day that it does not say. The first of an hour does not wait, nor does one that closes the day.
        """
        alike = after is not None and (after.key_nos, after.unknown) == (key_nos, unknown)
        if after is None or after.at is None or day_of(after.at) != day_of(at) or not alike:
            self.count()
            self._count(poll_id, at, len(key_nos))
        else:
            self._wait(poll_id, at)
            if after.at.hour != at.hour or _closes(at):
                self.count()
        if after is not None:
            after.at, after.key_nos, after.unknown = at, key_nos, unknown

    def _wait(self, poll_id: int, at: datetime) -> None:
        day = day_of(at)
        latest = {"poll_id": poll_id, "taken_at": at}
        more = update(_running).where(_running.c.day == day).values(polls=_running.c.polls + 1, **latest)
        if not self._connection.execute(more).rowcount:
            self._connection.execute(insert(_running).values(day=day, polls=1, **latest))

    def count(self) -> None:
        """Bring the daily snapshots up to every poll there is."""
        waiting = self._connection.execute(select(_running)).all()
        for row in waiting:
            keys = select(func.count()).where(_snapshots.c.poll_id == row.poll_id)
            self._count(row.poll_id, row.taken_at, self._connection.execute(keys).scalar() or 0, polls=row.polls)
        if waiting:
            self._connection.execute(delete(_running))

    def _count(self, poll_id: int, at: datetime, keys: int, *, polls: int = 1) -> None:
        """Bring the daily snapshots up to a poll, inside the database, whatever the number of keys.

        Figures of an older poll than a day has seen, which an import may bring, only count as a poll more.
        """
        day, complete = day_of(at), _closes(at)
        at_written = literal(at, _days.c.last_taken_at.type)
        chosen = select(
            literal(day).label("day"),
            _snapshots.c.key_no,
            _snapshots.c.spent_microcredits,
            _snapshots.c.daily_cap_microcredits,
            _snapshots.c.last_used_at,
            _snapshots.c.status,
            literal(polls),
            at_written,
            literal(complete),
        ).where(_snapshots.c.poll_id == poll_id)
        statement = self._upsert(_days).from_select([c.name for c in _days.columns], chosen)
        new = statement.excluded
        latest = ("daily_cap_microcredits", "last_used_at", "status", "last_taken_at")
        spent, known = new.spent_microcredits, _days.c.spent_microcredits
        seen = {name: new[name] for name in latest} | {"spent_microcredits": func.coalesce(spent, known)}
        counted, closed = _days.c.polls + polls, or_(_days.c.complete, literal(complete))
        to_its_end = or_(_days.c.complete, and_(literal(complete), or_(spent.isnot(None), known.is_(None))))
        written = self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["day", "key_no"],
                set_=seen | {"polls": counted, "complete": to_its_end},
                where=new.last_taken_at >= _days.c.last_taken_at,
            ).execution_options(preserve_rowcount=True)
        ).rowcount
        if written < keys:
            listed = select(_snapshots.c.key_no).where(_snapshots.c.poll_id == poll_id)
            older = and_(_days.c.day == day, _days.c.key_no.in_(listed), _days.c.last_taken_at > at_written)
            self._connection.execute(update(_days).where(older).values(polls=counted, complete=closed))


def _closes(at: datetime) -> bool:
    return day_start(day_of(at) + DAY) - at <= CLOSING
