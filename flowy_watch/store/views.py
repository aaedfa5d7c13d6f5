"""What people and machines look at: reads alone, each one statement whatever the number of keys."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, case, func, select

from flowy_watch.core.alert import Alert, Status
from flowy_watch.core.baseline import Baseline
from flowy_watch.core.silence import Silence
from flowy_watch.core.usage import CREDIT, Microcredits, day_of, day_start
from flowy_watch.store.alerts import read_alert, read_silence
from flowy_watch.store.days import FIGURES, beside
from flowy_watch.store.days import days_now as _days
from flowy_watch.store.outbox import WAITING
from flowy_watch.store.tables import (
    AlertRow,
    Balance,
    DailySnapshot,
    HistoryState,
    Key,
    OutboxRow,
    Poll,
    SilenceRow,
    SnapshotRow,
    TransitionRow,
)
from flowy_watch.store.usage import FAILED, GOOD, LIVE

_polls = Poll.__table__  # type: ignore[attr-defined]  # SQLModel sets it, without telling mypy
_keys = Key.__table__  # type: ignore[attr-defined]
_snapshots = SnapshotRow.__table__  # type: ignore[attr-defined]
_balances = Balance.__table__  # type: ignore[attr-defined]
_states = HistoryState.__table__  # type: ignore[attr-defined]
_alerts = AlertRow.__table__  # type: ignore[attr-defined]
_transitions = TransitionRow.__table__  # type: ignore[attr-defined]
_silences = SilenceRow.__table__  # type: ignore[attr-defined]
_outbox = OutboxRow.__table__  # type: ignore[attr-defined]
_stored = DailySnapshot.__table__  # type: ignore[attr-defined]

# Built once: every request for a page asks it.
_NEWEST = (_polls.c.id, _transitions.c.id, _outbox.c.seq, _silences.c.id)
_VERSION = select(
    *(select(func.coalesce(func.max(column), 0)).scalar_subquery() for column in _NEWEST),
    select(func.count()).where(_silences.c.ended_at.isnot(None)).scalar_subquery(),
)

_CAP = FIGURES["daily_cap_microcredits"].label("cap")
_KEY: tuple[Any, ...] = (
    _keys.c.key_no,
    _keys.c.key_id,
    _keys.c.name,
    _keys.c.last_four,
    _keys.c.created_at,
    _keys.c.first_seen_at,
    FIGURES["day"],
    FIGURES["spent_microcredits"].label("spent"),
    _CAP,
    FIGURES["last_used_at"],
    FIGURES["status"],
)


@dataclass(frozen=True, slots=True)
class Version:
    """Changes whenever something is stored that a page could show."""

    poll: int
    transition: int
    notice: int
    silence: int
    ended: int
    """How many silences somebody ended."""


class Views:
    """One instance per transaction; never commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def keys(self, today: date) -> list[Row[Any]]:
        """Every key with its figures of the latest day that saw it; spend of an older day is not today's."""
        return self._every(today, _KEY)

    def lines(self, today: date) -> list[Row[Any]]:
        """As `keys`, without what a list does not need: its time is mostly that of reading moments."""
        seen = FIGURES["day"] == today
        spent = case((seen, FIGURES["spent_microcredits"]), else_=None).label("spent")
        columns = (*_KEY[:4], seen.label("seen"), spent, *_KEY[_KEY.index(_CAP) :])
        return self._every(today, columns)

    def _every(self, today: date, columns: Sequence[Any]) -> list[Row[Any]]:
        stored = _stored.alias()  # has every day that `days_now` has
        of_key = stored.c.key_no == _keys.c.key_no
        # Nearly every key has been seen today: looking there first spares the grouping of a week.
        day = func.coalesce(
            select(stored.c.day).where(of_key, stored.c.day == today).correlate(_keys).scalar_subquery(),
            select(func.max(stored.c.day))
            .where(of_key, stored.c.day.in_(_week_before(today)))
            .correlate(_keys)
            .scalar_subquery(),
        )
        joined = beside(_keys, key_no=_keys.c.key_no, day=day)
        query = select(*columns).select_from(joined).order_by(_keys.c.key_no)
        return [*self._connection.execute(query).all()]

    def key(self, key_id: str) -> Row[Any] | None:
        """With the figures of the latest day that saw it, however long ago."""
        number = select(_keys.c.key_no).where(_keys.c.key_id == key_id).scalar_subquery()
        day = (
            select(_days.c.day).where(_days.c.key_no == number).order_by(_days.c.day.desc()).limit(1).scalar_subquery()
        )
        joined = beside(_keys, key_no=_keys.c.key_no, day=day)
        return self._connection.execute(select(*_KEY).select_from(joined).where(_keys.c.key_id == key_id)).first()

    def spends(self, key_nos: Collection[int], days: Collection[date]) -> dict[int, dict[date, Microcredits]]:
        """What some keys spent on some days, by key number."""
        found: dict[int, dict[date, Microcredits]] = {number: {} for number in key_nos}
        query = select(_days.c.key_no, _days.c.day, _days.c.spent_microcredits)
        for number, day, spent in self._connection.execute(
            query.where(_days.c.day.in_(list(days)), _days.c.key_no.in_(list(key_nos)))
        ).all():
            if spent is not None:
                found[number][day] = spent
        return found

    def days(self, key_no: int, days: Collection[date]) -> list[Row[Any]]:
        """One key's daily snapshots, oldest first."""
        query = select(_days).where(_days.c.day.in_(list(days)), _days.c.key_no == key_no)
        return list(self._connection.execute(query.order_by(_days.c.day)))

    def snapshots(self, key_no: int, since: datetime) -> list[Row[Any]]:
        """One key's counters at each poll since then, oldest first."""
        query = (
            select(
                _polls.c.taken_at,
                _snapshots.c.spent_microcredits.label("spent"),
                _snapshots.c.last_used_at,
                _snapshots.c.daily_cap_microcredits.label("cap"),
                _snapshots.c.status,
                _snapshots.c.rate_limit_per_minute.label("rate_limit"),
            )
            .join_from(_polls, _snapshots, _snapshots.c.poll_id == _polls.c.id)
            .where(_polls.c.taken_at >= since, _snapshots.c.key_no == key_no)
            .order_by(_polls.c.taken_at)
        )
        return list(self._connection.execute(query))

    def baseline(self, key_no: int) -> Baseline | None:
        """As it stood at the last full hour; None before there is one, or when another version wrote it."""
        packed = self._connection.execute(select(_states.c.baseline).where(_states.c.key_no == key_no)).scalar()
        try:
            return Baseline.unpack(packed) if packed else None
        except ValueError:
            return None

    def usual_hours(self, key_nos: Collection[int]) -> dict[int, float]:
        """Mean credits per hour over the last four weeks, where enough was watched to call that usual."""
        query = select(_states.c.key_no, _states.c.baseline).where(_states.c.key_no.in_(list(key_nos)))
        found = {}
        for number, packed in self._connection.execute(query):
            try:
                baseline = Baseline.unpack(packed)
            except ValueError:
                continue
            if baseline.known:
                found[number] = baseline.mean
        return found

    # ── the workspace ────────────────────────────────────────────────────────────────────────────────────────────

    def totals(self, since: date) -> dict[date, Microcredits]:
        """What all keys spent on each day; a day of which that is known of no key is left out."""
        known = _days.c.spent_microcredits.isnot(None)
        query = select(_days.c.day, *_sums(_days.c.spent_microcredits)).where(_days.c.day >= since, known)
        found = self._connection.execute(query.group_by(_days.c.day))
        return {day: int(whole) * CREDIT + int(rest) for day, whole, rest in found}

    def spent_by(self, at: datetime) -> Microcredits | None:
        """What all keys had spent of their day at an instant of the past; None where no poll was near."""
        earliest = max(at - timedelta(minutes=65), day_start(day_of(at)))
        query = (
            select(_polls.c.id)
            .where(_polls.c.taken_at <= at, _polls.c.taken_at >= earliest, _polls.c.outcome != FAILED)
            .order_by(_polls.c.taken_at.desc())
            .limit(1)
        )
        poll = self._connection.execute(query).scalar()
        if poll is None:
            return None
        total = select(*_sums(_snapshots.c.spent_microcredits)).where(_snapshots.c.poll_id == poll)
        whole, rest = self._connection.execute(total).one()
        return None if whole is None else int(whole) * CREDIT + int(rest)

    def last_good_poll_at(self) -> datetime | None:
        live = and_(_polls.c.kind == LIVE, _polls.c.outcome == GOOD)
        query = select(_polls.c.taken_at).where(live).order_by(_polls.c.id.desc()).limit(1)
        found: datetime | None = self._connection.execute(query).scalar()
        return found

    def polls(self, *, before: int | None, most: int) -> list[Row[Any]]:
        return self._page(_polls, _polls.c.id, before, most)

    def _page(self, table: Any, order: Any, before: int | None, most: int, *conditions: Any) -> list[Row[Any]]:
        """Newest first, from those older than `before` on."""
        query = select(table).where(*conditions).order_by(order.desc()).limit(most)
        return list(self._connection.execute(query if before is None else query.where(order < before)))

    def version(self) -> Version:
        row: tuple[int, ...] = tuple(self._connection.execute(_VERSION).one())
        return Version(*row)

    # ── alerts and silences ──────────────────────────────────────────────────────────────────────────────────────

    def alerts(
        self, *, before: int | None, most: int, status: Iterable[Status] = (), key_id: str = "", kind: str = ""
    ) -> list[Alert]:
        """Newest first."""
        conditions: list[Any] = []
        if wanted := [one.value for one in status]:
            conditions.append(_alerts.c.status.in_(wanted))
        if key_id:
            conditions.append(_alerts.c.key_id == key_id)
        if kind:
            conditions.append(_alerts.c.kind == kind)
        return [read_alert(row) for row in self._page(_alerts, _alerts.c.id, before, most, *conditions)]

    def alert_counts(self) -> list[tuple[str, str, str, int]]:
        """Kind, severity, status and how many, of those not resolved."""
        columns = (_alerts.c.kind, _alerts.c.severity, _alerts.c.status)
        query = select(*columns, func.count()).where(_alerts.c.status != Status.RESOLVED.value).group_by(*columns)
        return [(row[0], row[1], row[2], row[3]) for row in self._connection.execute(query)]

    def worst_alerts(self, most: int) -> list[Alert]:
        """Of those not resolved: open before acknowledged, then by severity, then the newest."""
        rank = case({"critical": 0, "warning": 1}, value=_alerts.c.severity, else_=2)
        query = select(_alerts).where(_alerts.c.status != Status.RESOLVED.value)
        order = (_alerts.c.status != Status.OPEN.value, rank, _alerts.c.id.desc())
        return [read_alert(row) for row in self._connection.execute(query.order_by(*order).limit(most))]

    def alerts_by_key(self) -> dict[str, dict[str, int]]:
        """Of those not resolved: how many of each severity, by key id."""
        columns = (_alerts.c.key_id, _alerts.c.severity)
        unresolved = and_(_alerts.c.status != Status.RESOLVED.value, _alerts.c.key_id.isnot(None))
        found: dict[str, dict[str, int]] = {}
        for key_id, severity, count in self._connection.execute(
            select(*columns, func.count()).where(unresolved).group_by(*columns)
        ):
            found.setdefault(key_id, {})[severity] = count
        return found

    def silences(self, *, before: int | None, most: int) -> list[Silence]:
        """Those that ended too, newest first."""
        return [read_silence(row) for row in self._page(_silences, _silences.c.id, before, most)]

    # ── deliveries ───────────────────────────────────────────────────────────────────────────────────────────────

    def deliveries(self, *, before: int | None, most: int, status: str = "", channel: str = "") -> list[Row[Any]]:
        conditions: list[Any] = []
        if status:
            conditions.append(_outbox.c.status == status)
        if channel:
            conditions.append(_outbox.c.channel == channel)
        return self._page(_outbox, _outbox.c.seq, before, most, *conditions)

    def oldest_waiting(self) -> dict[str, datetime]:
        """By channel: since when its oldest notice waits."""
        query = select(_outbox.c.channel, func.min(_outbox.c.created_at)).where(_outbox.c.status == WAITING)
        return {row[0]: row[1] for row in self._connection.execute(query.group_by(_outbox.c.channel))}

    def last_balance(self) -> Row[Any] | None:
        return self._connection.execute(select(_balances).order_by(_balances.c.taken_at.desc()).limit(1)).first()


def _week_before(today: date) -> list[date]:
    return [today - timedelta(days=back) for back in range(1, 8)]


def _sums(column: Any) -> tuple[Any, Any]:
    """Whole credits and the rest: a sum of micro-credits can leave 64 bits, where SQLite gives up."""
    return func.sum(column // CREDIT), func.sum(column % CREDIT)
