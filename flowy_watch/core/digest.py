"""A finished period in numbers: what was spent, by whom, compared with what, and how well it was seen.

Longer than most: the figures and what is reckoned from them are read side by side.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from statistics import median

from flowy_watch.core.forecast import Expected, Forecast, Runway
from flowy_watch.core.period import Period, Span
from flowy_watch.core.usage import ALL_KEYS, DAY, Answers, Microcredits

RECENT_DAYS = 28
"""So many days before its end a digest looks back, in pictures and for what is usual."""
NEAR_CAP = 90
"""Per cent of the daily cap from which a day counts as near it."""
FAR_ABOVE = 4
"""A cap so many times a key's 95th-percentile day protects little."""
IDLE_DAYS = (30, 45, 90)
LISTED = 10
"""So many keys are named; the others are one line."""
_PICTURED = 7
_MOVERS = 5


@dataclass(frozen=True, slots=True)
class KeyFigures:
    """One key over a period."""

    key_id: str
    name: str
    days: tuple[Microcredits | None, ...]
    """Spent on each day; None where it was not listed, or where that is not known."""
    earlier: tuple[Microcredits, ...] = ()
    """Spent in the periods before, the latest first; as many as the digest has."""
    last_four: str = ""
    owner: str = ""
    cap: Microcredits | None = None
    """At the end of the period, or when last listed in it."""
    cap_before: Microcredits | None = None
    """On the last day before the period."""
    listed_before: bool = False
    """On the last day before the period."""
    status: str = "active"
    status_before: str = "active"
    usual_high: Microcredits | None = None
    """The 95th percentile of its last 28 days; known of keys with a cap."""
    at_cap: int = 0
    """Days on which all of the cap was spent."""
    near_cap: int = 0
    """Days on which at least 90 % of it was, but not all."""
    open_days: int = 0
    """Days that were not seen to their end: what is known of them is a least."""
    unknown_days: int = 0
    """Days on which it was listed by a source that does not know what it spent."""
    idle_days: int = 0
    """0, or the most of 30, 45 and 90 days that it was not used for."""
    new: bool = False
    answers: Answers | None = None
    """How its requests were answered in the period; None where no source sees them."""
    by_price: bool = False
    """Its spend is runs that were counted times a price, not what Flowy billed."""
    recent: tuple[Microcredits, ...] = ()
    """Spent on each of the last 28 days; only of the keys that spent most."""
    many: int = 1
    """Above 1: so many keys of one owner, summed up; of them nothing is told but sums."""

    @property
    def spent(self) -> Microcredits:
        return sum(day for day in self.days if day is not None)

    @property
    def active(self) -> bool:
        return self.status == "active"

    @property
    def change(self) -> Microcredits:
        return self.spent - (self.earlier[0] if self.earlier else 0)

    @property
    def revoked(self) -> bool:
        """In the period."""
        return not self.active and self.status_before == "active"

    @property
    def cap_changed(self) -> bool:
        return self.listed_before and not self.new and self.cap != self.cap_before

    @property
    def cap_too_high(self) -> bool:
        high = self.usual_high
        return self.active and self.cap is not None and bool(high) and self.cap >= FAR_ABOVE * (high or 0)


@dataclass(frozen=True, slots=True)
class DayFigures:
    """One UTC day of the whole workspace; `keys` is 0 where nothing was seen of it."""

    day: date
    spent: Microcredits
    keys: int
    open_keys: int = 0
    """How many of them were not seen to the end of the day."""
    no_keys: bool = False
    """It was seen, and there was no key."""
    unknown_keys: int = 0
    """How many of them a source listed that does not know what they spent."""

    @property
    def known_spent(self) -> Microcredits | None:
        """None where nothing is known of it."""
        return None if self.unseen or (self.keys and self.keys == self.unknown_keys) else self.spent

    @property
    def unseen(self) -> bool:
        """Nothing is known of it."""
        return not (self.keys or self.no_keys)

    @property
    def missing(self) -> bool:
        """Nothing is known of it, or not of its end: figures may still come in late."""
        return self.keys == self.open_keys and not self.no_keys


@dataclass(frozen=True, slots=True)
class BalanceFigures:
    at_end: Microcredits
    fell: Microcredits
    """The sum of its falls within the period."""
    rose: Microcredits
    """The sum of its rises: top-ups."""
    by_day: tuple[Microcredits | None, ...]
    """At the end of each of the last 28 days."""


class Outcome(StrEnum):
    """What people made of an alert."""

    STOPPED = "stopped"  # the key was revoked, and quiet since
    CONFIRMED = "confirmed"  # somebody acknowledged it
    EXPECTED = "expected"
    FALSE = "false"
    OVER = "over"  # ended by itself; nobody said anything
    OPEN = "open"  # still unanswered


@dataclass(frozen=True, slots=True)
class AlertFigures:
    """An alert that opened in the period."""

    id: int
    kind: str
    severity: str
    title: str
    opened_at: datetime
    outcome: Outcome
    key_id: str = ""
    key_name: str = ""
    owner: str = ""
    detected_after: timedelta | None = None
    """From where the unusual use began; None where that is not known."""
    stopped_after: timedelta | None = None
    """From its opening to the last use after a revoke; None where nothing was revoked."""
    cost: Microcredits | None = None
    before: str = ""
    after: str = ""
    """For changes of settings."""


@dataclass(frozen=True, slots=True)
class SmallFigures:
    """What was odd in the period and worth too little for an alert."""

    kind: str
    key_id: str
    key_name: str
    title: str
    opened_at: datetime
    last_seen_at: datetime
    excess: Microcredits = 0
    """Beyond what was to be expected, at its worst."""
    least: Microcredits = 0
    """From so much on it would have been an alert."""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Digest:
    """The figures of one edition: the whole workspace, or one owner's part of it."""

    period: Period
    made_at: datetime
    keys: tuple[KeyFigures, ...]
    """Most spent first."""
    days: tuple[DayFigures, ...]
    """The last 28 days, or the whole period where it is longer; the period's last day is the last."""
    earlier: tuple[Microcredits | None, ...] = ()
    """All keys in the periods before, the latest first; None where days of it were not seen."""
    owner: str = ""
    """Empty: the whole workspace."""
    workspace_spent: Microcredits = 0
    """All keys and what no key explains, whatever the edition."""
    workspace_balance: Microcredits | None = None
    workspace_runway: Runway | None = None
    """What all owners live on, whatever the edition."""
    balance: BalanceFigures | None = None
    alerts: tuple[AlertFigures, ...] = ()
    small: tuple[SmallFigures, ...] = ()
    """Anomalies that nobody was told of."""
    blind_hours: int | None = None
    """Hours without any good poll; None where that is not known any more."""
    runway: Runway | None = None
    month: Expected | None = None
    """The calendar month under way at the end of the period, all of it."""
    month_name: str = ""
    ahead: tuple[Expected, ...] = ()
    """What will have been spent after each of the next 14 days."""
    foretold: Expected | None = None
    """What the same forecast expected of this period before it began."""
    late_by: timedelta = timedelta(0)
    """The digest was due earlier: this machine was off, or waited for late figures."""

    @property
    def of_keys(self) -> Microcredits:
        return sum(key.spent for key in self.keys)

    @property
    def unattributed(self) -> Microcredits:
        """By how much more the balance fell than the keys spent; what was spent while it was topped up is not seen."""
        if self.owner or self.balance is None or self.unknown_keys:
            return 0
        return max(self.balance.fell - self.of_keys, 0)

    @property
    def total(self) -> Microcredits:
        return self.of_keys + self.unattributed

    @property
    def at_least(self) -> bool:
        """Something was not seen: the total is a least."""
        return bool(self.missing_days) or any(key.open_days for key in self.keys) or self.unknown_keys > 0

    @property
    def unknown_keys(self) -> int:
        """Keys that were listed on days of which no source knows what they spent, alone or as all keys together."""
        if any(key.key_id == ALL_KEYS and not key.unknown_days for key in self.keys):
            return 0
        return sum(1 for key in self.keys if key.unknown_days)

    @property
    def unknown(self) -> bool:
        """Of no key anything is known of what it spent."""
        return not self.total and bool(self.keys) and self.unknown_keys == len(self.keys)

    @property
    def missing_days(self) -> tuple[date, ...]:
        return tuple(day.day for day in self.days[-self.period.length :] if day.missing)

    @property
    def single_keys(self) -> tuple[KeyFigures, ...]:
        """Those that something may be told of beside their sums."""
        return tuple(key for key in self.keys if key.many == 1)

    @property
    def share(self) -> float | None:
        """Of the whole workspace."""
        return self.total / self.workspace_spent if self.workspace_spent else None

    @property
    def before(self) -> Microcredits | None:
        """All keys in the period before."""
        return self.earlier[0] if self.earlier else None

    @property
    def usual(self) -> Microcredits | None:
        """The median of the periods before: of four weeks, or three months; None unless all were seen."""
        known = [total for total in self.earlier if total is not None]
        return round(median(known)) if known and len(known) == len(self.earlier) else None

    @property
    def unseen(self) -> bool:
        """Nothing is known of any of its days."""
        return not self.total and all(day.unseen for day in self.days[-self.period.length :])

    @property
    def empty(self) -> bool:
        """Nothing was spent and nothing happened."""
        moved = any(key.new or key.revoked or key.cap_changed for key in self.keys)
        return not (self.total or self.alerts or moved or self.unknown_keys)

    def change(self, against: Microcredits | None) -> float | None:
        """Of what the keys spent, as a share of `against`."""
        return (self.of_keys - against) / against if against else None

    def for_owner(self, owner: str) -> "Digest":
        """Their keys, the alerts about them, and their share of the whole; of a month also what the next will cost."""
        keys = tuple(key for key in self.keys if key.owner == owner)
        earlier = [
            None if whole is None else sum(key.earlier[n] for key in keys) for n, whole in enumerate(self.earlier)
        ]
        days = tuple(
            replace(day, spent=sum(key.days[n] or 0 for key in keys))
            for n, day in enumerate(self.days[-self.period.length :])
        )
        unknown = any(key.unknown_days for key in keys)  # a week is too short for a forecast, a month is not
        ahead = None if unknown else Forecast.of([day.known_spent for day in days])
        return replace(
            self,
            owner=owner,
            keys=keys,
            days=days,
            earlier=tuple(earlier),
            alerts=tuple(alert for alert in self.alerts if alert.owner == owner and alert.key_id),
            small=tuple(one for one in self.small if one.owner == owner and one.key_id),
            balance=None,
            runway=None,
            month=_month(days, self.period, ahead)[1],
            ahead=(),
            foretold=None,
        )


@dataclass(frozen=True, slots=True)
class Contribution:
    """A part of the total. All of them add up to it exactly."""

    name: str
    spent: Microcredits
    key: KeyFigures | None = None
    keys: int = 1
    """How many are counted together."""


OTHER, UNATTRIBUTED = "other keys", "unattributed"


def contributions(digest: Digest, *, most: int = LISTED) -> tuple[Contribution, ...]:
    """Who drove the total: at most `most` keys, all others together, and what no key explains."""
    spending = [key for key in digest.single_keys if key.spent]
    summed = [key for key in digest.keys if key.many > 1]
    named, others = spending[:most], [*spending[most:], *summed]
    if len(others) == 1 and not summed:
        named, others = spending, []
    parts = [Contribution(key.name, key.spent, key) for key in named]
    if others:
        parts.append(Contribution(OTHER, sum(key.spent for key in others), keys=sum(key.many for key in others)))
    if digest.unattributed:
        parts.append(Contribution(UNATTRIBUTED, digest.unattributed, keys=0))
    return tuple(parts)


def by_owner(digest: Digest) -> tuple[tuple[str, Microcredits, Microcredits], ...]:
    """Owner, spent, spent in the period before, most spent first; the owner is empty for keys without one."""
    spent: dict[str, list[int]] = {}
    for key in digest.keys:
        sums = spent.setdefault(key.owner, [0, 0])
        sums[0] += key.spent
        sums[1] += key.earlier[0] if key.earlier else 0
    ranked = sorted(spent.items(), key=lambda item: (-item[1][0], item[0]))
    return tuple((owner, now, before) for owner, (now, before) in ranked)


def movers(digest: Digest, *, most: int = _MOVERS) -> tuple[tuple[KeyFigures, ...], tuple[KeyFigures, ...]]:
    """The keys that went up most, and those that went down most, against the period before."""
    if digest.before is None:
        return (), ()
    moved = sorted((key for key in digest.single_keys if key.change), key=lambda key: (-key.change, key.name))
    up = tuple(key for key in moved[:most] if key.change > 0)
    down = tuple(key for key in reversed(moved[-most:]) if key.change < 0)
    return up, down


def pictured(keys: Iterable[KeyFigures]) -> tuple[KeyFigures, ...]:
    """Those that get a colour of their own."""
    return tuple(key for key in keys if key.recent)[:_PICTURED]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the database says of one period."""

    keys: Sequence[KeyFigures]
    days: Sequence[DayFigures]
    """At least of the period and of the 28 days before it, without a gap, the latest last."""
    earlier: Sequence[Period]
    """The periods before whose spend the keys have, the latest first."""
    seen: Sequence[bool]
    """Whether each of those was seen on every day."""
    balance: BalanceFigures | None
    alerts: Sequence[AlertFigures]
    blind_hours: int | None
    small: Sequence[SmallFigures] = ()


Owners = Callable[[str, str], str]


def build(facts: Facts, period: Period, *, owner_of: Owners, now: datetime, late_by: timedelta) -> Digest:
    """The digest of the whole workspace; `for_owner` cuts an edition out of it."""
    keys = [replace(key, owner=owner_of(key.key_id, key.name)) for key in facts.keys]
    keys.sort(key=lambda key: (-key.spent, key.name, key.key_id))
    alerts = tuple(
        replace(alert, owner=owner_of(alert.key_id, alert.key_name)) if alert.key_id else alert
        for alert in facts.alerts
    )
    totals = [day.known_spent for day in facts.days]
    balance = facts.balance
    ahead, before = Forecast.of(totals), Forecast.of(totals[: -period.length])
    month_name, month = _month(facts.days, period, ahead)
    earlier = tuple(sum(key.earlier[n] for key in keys) if seen else None for n, seen in enumerate(facts.seen))
    digest = Digest(
        period=period,
        made_at=now,
        keys=tuple(keys),
        days=tuple(facts.days[-max(RECENT_DAYS, period.length) :]),
        earlier=earlier,
        balance=balance,
        alerts=alerts,
        small=tuple(replace(one, owner=owner_of(one.key_id, one.key_name)) for one in facts.small),
        blind_hours=facts.blind_hours,
        runway=ahead.runway(balance.at_end) if ahead and balance else None,
        month=month,
        month_name=month_name,
        ahead=tuple(ahead.next(days) for days in range(1, 15)) if ahead else (),
        foretold=before.next(period.length) if before else None,
        late_by=late_by,
    )
    at_end = balance.at_end if balance else None
    return replace(digest, workspace_spent=digest.total, workspace_balance=at_end, workspace_runway=digest.runway)


def _month(days: Sequence[DayFigures], period: Period, ahead: Forecast | None) -> tuple[str, Expected | None]:
    """The month to come at the end of a month; else that of the period's last day, spent so far and to be expected."""
    if period.span is Span.MONTH:
        month = period.after()
        return f"{month.first:%B}", ahead.next(month.length) if ahead else None
    month = Period.month_of(period.end - DAY)
    so_far = [day for day in days if month.first <= day.day < period.end]
    if ahead is None or any(day.known_spent is None for day in so_far) or len(so_far) < (period.end - month.first).days:
        return f"{month.first:%B}", None
    left = (month.end - period.end).days
    return f"{month.first:%B}", ahead.next(max(left, 0), already=sum(day.spent for day in so_far))
