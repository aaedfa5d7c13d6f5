"""The figures of a period, added up inside the database."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Text, and_, case, cast, func, or_, select

from flowy_watch.core.digest import IDLE_DAYS, RECENT_DAYS, BalanceFigures, DayFigures, Facts, KeyFigures
from flowy_watch.core.period import Period, days_between
from flowy_watch.core.usage import CREDIT, DAY, Answers, KeyStatus, Microcredits, day_start
from flowy_watch.store.answers import alerts_opened
from flowy_watch.store.days import days_now as _days
from flowy_watch.store.small import small_opened
from flowy_watch.store.tables import Balance, DailyAnswers, Key, Poll
from flowy_watch.store.usage import FAILED

_keys = Key.__table__  # type: ignore[attr-defined]  # SQLModel sets it, without telling mypy
_balances = Balance.__table__  # type: ignore[attr-defined]
_polls = Poll.__table__  # type: ignore[attr-defined]

_answered = DailyAnswers.__table__  # type: ignore[attr-defined]

_SPARKS = 10
_AT_THE_EDGE = timedelta(minutes=2)
_HOUR = timedelta(hours=1)
_spent = _days.c.spent_microcredits
_cap = _days.c.daily_cap_microcredits
# A sum of micro-credits can leave 64 bits, where SQLite gives up: whole credits and the rest are added up apart.
_WHOLE, _REST = func.sum(_spent // CREDIT), func.sum(_spent % CREDIT)


class Figures:
    """One instance per transaction; only reads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def facts(self, period: Period, *, earlier: int) -> Facts:
        """What is known of a period and of so many before it. As it is: nothing is filled in."""
        before = [period.before()]
        while len(before) < earlier:
            before.append(before[-1].before())
        by_day = self.by_day(min(before[-1].first, period.first - RECENT_DAYS * DAY), period.end)
        seen = {day.day for day in by_day if not day.unseen}
        return Facts(
            keys=self._keys(period, before),
            days=by_day,
            earlier=before,
            seen=[all(day in seen for day in one.days()) for one in before],
            balance=self._balance(period),
            alerts=alerts_opened(self._connection, period),
            blind_hours=self._blind_hours(period),
            small=small_opened(self._connection, period),
        )

    def days_missing(self, period: Period) -> bool:
        """Whether a day of it was not seen, or not to its end, though the watch had begun by then."""
        began = self.began()
        by_day = self.by_day(period.first, period.end)
        return any(day.missing and began is not None and day_start(day.day + DAY) > began for day in by_day)

    def began(self) -> datetime | None:
        """When the first key was seen, or the first poll was good: nothing is known of before."""
        seen_at = self._connection.execute(select(func.min(_keys.c.first_seen_at))).scalar()
        polled_at = self._connection.execute(
            select(func.min(_polls.c.taken_at)).where(_polls.c.outcome != FAILED)
        ).scalar()
        return min((at for at in (seen_at, polled_at) if at is not None), default=None)

    # ── days ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def by_day(self, first: date, end: date) -> list[DayFigures]:
        """Every day from `first` up to, without, `end`."""
        still_open = func.sum(case((_days.c.complete, 0), else_=1))
        unknown = func.sum(case((_spent.is_(None), 1), else_=0))
        query = select(_days.c.day, _WHOLE, _REST, func.count(), still_open, unknown).where(_in(first, end))
        found = {row[0]: row for row in self._connection.execute(query.group_by(_days.c.day))}
        return [
            DayFigures(day, _sum(row[1], row[2]), int(row[3]), int(row[4]), unknown_keys=int(row[5]))
            if (row := found.get(day))
            else DayFigures(day, 0, 0, no_keys=self._polled(day_start(day + DAY)))
            for day in days_between(first, end)
        ]

    def _polled(self, end_at: datetime) -> bool:
        """Whether a day without figures was seen to its end all the same: a good poll then listed no key."""
        within = and_(_polls.c.taken_at >= end_at - _HOUR, _polls.c.taken_at < end_at, _polls.c.outcome != FAILED)
        return self._connection.execute(select(_polls.c.id).where(within).limit(1)).first() is not None

    # ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _keys(self, period: Period, before: Sequence[Period]) -> list[KeyFigures]:
        earlier = [self._sums(one) for one in before]
        highs = self._usual_highs(period.end)
        last, day_before = self._last_listed(period), self._on(period.first - DAY)
        watched_from = self._connection.execute(select(func.min(_keys.c.first_seen_at))).scalar()
        idle, answers = self._idle(period), self._answers(period)
        found = []
        for row in self._pivot(period):
            no, key_id, name, last_four, created_at, first_seen_at, at_cap, near_cap, open_days, unknown_days = row[:10]
            cap, status = last.get(no, (None, KeyStatus.ACTIVE.value))
            cap_before, status_before = day_before.get(no, (None, KeyStatus.ACTIVE.value))
            found.append(
                KeyFigures(
                    key_id,
                    name,
                    tuple(row[10:]),
                    tuple(sums.get(no, 0) for sums in earlier),
                    last_four,
                    cap=cap,
                    cap_before=cap_before,
                    listed_before=no in day_before,
                    status=status,
                    status_before=status_before,
                    usual_high=highs.get(no),
                    at_cap=at_cap,
                    near_cap=near_cap,
                    open_days=open_days,
                    unknown_days=unknown_days,
                    idle_days=idle.get(no, 0),
                    new=_is_new(created_at, first_seen_at, watched_from, period),
                    answers=answers.get(no),
                )
            )
        return self._with_recent(found, period)

    def _pivot(self, period: Period) -> Iterable[Any]:
        """A row for each key: the days of the period side by side."""
        by_day = [func.max(case((_days.c.day == day, _spent))) for day in period.days()]
        spent_all = and_(_cap > 0, _spent >= _cap)
        nearly = and_(_cap > 0, _spent < _cap, _spent >= _cap - _cap // 10)
        counts = [
            func.sum(case((told, 1), else_=0)) for told in (spent_all, nearly, ~_days.c.complete, _spent.is_(None))
        ]
        inner = select(_days.c.key_no, *(c.label(f"c{n}") for n, c in enumerate((*counts, *by_day))))
        sums = inner.where(_in(period.first, period.end)).group_by(_days.c.key_no).subquery()
        about = (_keys.c.key_id, _keys.c.name, _keys.c.last_four, _keys.c.created_at, _keys.c.first_seen_at)
        figures = [column for column in sums.c if column.name != "key_no"]
        query = select(_keys.c.key_no, *about, *figures).join(sums, sums.c.key_no == _keys.c.key_no)
        return self._connection.execute(query)

    def _sums(self, period: Period) -> dict[int, Microcredits]:
        query = select(_days.c.key_no, _WHOLE, _REST).where(_in(period.first, period.end)).group_by(_days.c.key_no)
        return {row[0]: _sum(row[1], row[2]) for row in self._connection.execute(query)}

    def _usual_highs(self, end: date) -> dict[int, Microcredits]:
        """The 95th percentile of the last 28 days of each key that has a cap."""
        by_key: dict[str, Any] = {"partition_by": _days.c.key_no}
        ranked = (
            select(
                _days.c.key_no,
                _spent.label("spent"),
                func.row_number().over(**by_key, order_by=_spent).label("rank"),
                func.count().over(**by_key).label("days"),
            )
            .where(_in(end - RECENT_DAYS * DAY, end), _cap.isnot(None))
            .subquery()
        )
        query = select(ranked.c.key_no, ranked.c.spent).where(ranked.c.rank == (ranked.c.days * 95 + 99) // 100)
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def _on(self, day: date) -> dict[int, tuple[Microcredits | None, str]]:
        """Cap and status of each key on one day."""
        query = select(_days.c.key_no, _cap, _days.c.status).where(_days.c.day == day)
        return {row[0]: (row[1], row[2]) for row in self._connection.execute(query)}

    def _last_listed(self, period: Period) -> dict[int, tuple[Microcredits | None, str]]:
        found: dict[int, tuple[Microcredits | None, str]] = {}
        missing = select(func.count(_days.c.key_no.distinct())).where(_in(period.first, period.end))
        keys = self._connection.execute(missing).scalar() or 0
        for day in reversed(list(period.days())):
            if len(found) >= keys:
                break
            found = self._on(day) | found
        return found

    def _idle(self, period: Period) -> dict[int, int]:
        """Keys not used for 30, 45 or 90 days at the end of the period; where Last used is not told, by their spend."""
        end = period.end_at
        unused = {
            days: and_(_days.c.last_used_at.isnot(None), _days.c.last_used_at < end - days * DAY) for days in IDLE_DAYS
        }
        length = case(*((unused[days], days) for days in reversed(IDLE_DAYS)), else_=0)
        last_day = select(func.max(_days.c.day)).where(_in(period.first, period.end)).scalar_subquery()
        query = select(_days.c.key_no, length, _keys.c.first_seen_at).join(_keys, _keys.c.key_no == _days.c.key_no)
        told = or_(unused[IDLE_DAYS[0]], and_(_days.c.last_used_at.is_(None), _spent.isnot(None)))
        rows = self._connection.execute(query.where(_days.c.day == last_day, told)).all()
        found = {row[0]: int(row[1]) for row in rows if row[1]}
        silent = {row[0]: row[2] for row in rows if not row[1]}
        for days in IDLE_DAYS:
            silent = {no: seen_at for no, seen_at in silent.items() if seen_at < end - days * DAY}
            if not silent:
                break
            spending = select(_days.c.key_no).distinct().where(_in(period.end - days * DAY, period.end), _spent > 0)
            for no in self._connection.execute(spending).scalars():
                silent.pop(no, None)
            found |= dict.fromkeys(silent, days)
        return found

    def _answers(self, period: Period) -> dict[int, Answers]:
        """Of the keys whose requests some source saw on a day of the period."""
        columns = (_answered.c.refused, _answered.c.capped, _answered.c.throttled, _answered.c.unpriced)
        within = and_(_answered.c.day >= period.first, _answered.c.day < period.end)
        query = select(_answered.c.key_no, *map(func.sum, columns)).where(within).group_by(_answered.c.key_no)
        return {row[0]: Answers(*map(int, row[1:])) for row in self._connection.execute(query)}

    def _with_recent(self, keys: list[KeyFigures], period: Period) -> list[KeyFigures]:
        """The last 28 days of the keys that spent most."""
        top = sorted((key for key in keys if key.spent), key=lambda key: (-key.spent, key.name, key.key_id))[:_SPARKS]
        days = days_between(period.end - max(RECENT_DAYS, period.length) * DAY, period.end)
        query = (
            select(_keys.c.key_id, _days.c.day, _spent)
            .join(_keys, _keys.c.key_no == _days.c.key_no)
            .where(_in(days[0], period.end), _keys.c.key_id.in_([key.key_id for key in top]))
        )
        spent = {(row[0], row[1]): row[2] for row in self._connection.execute(query)} if top else {}
        recent = {key.key_id: tuple(spent.get((key.key_id, day)) or 0 for day in days) for key in top}
        return [replace(key, recent=recent[key.key_id]) if key.key_id in recent else key for key in keys]

    # ── the workspace ────────────────────────────────────────────────────────────────────────────────────────────

    def _balance(self, period: Period) -> BalanceFigures | None:
        by_day = tuple(
            self._balance_at(day_start(day + DAY)) for day in days_between(period.end - RECENT_DAYS * DAY, period.end)
        )
        at, balance = _balances.c.taken_at, _balances.c.balance_microcredits
        within = and_(at >= period.start_at - _AT_THE_EDGE, at <= period.end_at)
        steps = select(balance.label("now"), func.lag(balance).over(order_by=at).label("then")).where(within).subquery()
        fell, rose = steps.c.then - steps.c.now, steps.c.now - steps.c.then
        query = select(
            func.sum(case((fell > 0, fell // CREDIT), else_=0)),
            func.sum(case((fell > 0, fell % CREDIT), else_=0)),
            func.sum(case((rose > 0, rose // CREDIT), else_=0)),
            func.sum(case((rose > 0, rose % CREDIT), else_=0)),
        )
        fell_whole, fell_rest, rose_whole, rose_rest = self._connection.execute(query).one()
        at_end = next((one for one in reversed(by_day) if one is not None), None)
        if at_end is None or fell_whole is None:
            return None
        return BalanceFigures(at_end, _sum(fell_whole, fell_rest), _sum(rose_whole, rose_rest), by_day)

    def _balance_at(self, at: datetime) -> Microcredits | None:
        """The last one of the day that ends at `at`."""
        query = select(_balances.c.balance_microcredits).where(
            _balances.c.taken_at <= at, _balances.c.taken_at > at - DAY
        )
        found = self._connection.execute(query.order_by(_balances.c.taken_at.desc()).limit(1)).scalar()
        return None if found is None else int(found)

    def _blind_hours(self, period: Period) -> int | None:
        """Hours without a good poll since the watch began; None where polls of that time are no longer kept."""
        taken = _polls.c.taken_at
        first = self._connection.execute(select(func.min(taken)).where(_polls.c.outcome != FAILED)).scalar()
        began = self._connection.execute(select(func.min(_keys.c.first_seen_at))).scalar()
        if first is None or began is None or first > max(period.start_at, began) + _HOUR:
            return None
        start_at: datetime = max(period.start_at, began.replace(minute=0, second=0, microsecond=0))
        on_sqlite = self._connection.dialect.name == "sqlite"
        hour: Any = func.substr(cast(taken, Text), 1, 13) if on_sqlite else func.date_trunc("hour", taken)
        good = and_(taken >= start_at, taken < period.end_at, _polls.c.outcome != FAILED)
        seen = self._connection.execute(select(func.count(hour.distinct())).where(good)).scalar() or 0
        return max((period.end_at - start_at) // _HOUR - int(seen), 0)


def _in(first: date, end: date) -> Any:
    return and_(_days.c.day >= first, _days.c.day < end)


def _sum(whole: Any, rest: Any) -> Microcredits:
    """Of PostgreSQL these are decimals."""
    return int(whole or 0) * CREDIT + int(rest or 0)


def _is_new(created_at: datetime | None, seen_at: datetime, watched_from: datetime | None, period: Period) -> bool:
    """Made within the period; where the source does not tell, first listed in it, and not with the first poll ever."""
    if created_at is not None:
        return period.start_at <= created_at < period.end_at
    return period.start_at <= seen_at < period.end_at and seen_at != watched_from
