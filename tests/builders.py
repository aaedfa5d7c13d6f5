"""Values to start a test from: everything has a default, amounts are whole credits, time starts on a Monday noon."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from flowy_watch.core.alert import Alert, Change, Status, Transition, reconcile
from flowy_watch.core.baseline import Baseline, hour_number
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.history import History
from flowy_watch.core.route import Route
from flowy_watch.core.silence import Silence
from flowy_watch.core.usage import Microcredits, Reading, Snapshot, credits_to_micro
from flowy_watch.core.workspace import Health, WorkspaceHistory
from flowy_watch.detectors import Detector, KeyRules, View

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
MIDNIGHT = NOON + timedelta(hours=12)  # the end of that Monday
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def credit(amount: float) -> Microcredits:
    return -credits_to_micro(-amount) if amount < 0 else credits_to_micro(amount)


def snapshot(
    spent: float = 0, at: datetime = NOON, *, cap: float | None = None, used: datetime | None = None, **more: Any
) -> Snapshot:
    """One key's counters; `key_id` and `name` are `key_1` and `render` unless given."""
    named = {"key_id": "key_1", "name": "render"} | more
    daily_cap = None if cap is None else credit(cap)
    return Snapshot(taken_at=at, spent=credit(spent), last_used_at=used, daily_cap=daily_cap, **named)


def reading(*snapshots: Snapshot, at: datetime = NOON, balance: float | None = None, **more: Any) -> Reading:
    return Reading(at, snapshots, balance=None if balance is None else credit(balance), **more)


def history(*snapshots: Snapshot, baseline: Baseline | None = None) -> History:
    first, *others = snapshots or (snapshot(),)
    made = History(first, baseline)
    for one in others:
        made.add(one)
    return made


def ordinary(days: float = 21, *, per_hour: float = 100, until: datetime = NOON) -> Baseline:
    """The same spend in every hour of the days before `until`."""
    baseline, end = Baseline(), hour_number(until)
    for hour in range(end - round(days * 24), end):
        baseline.learn(hour, per_hour)
    return baseline


def learned(spends: Callable[[int], float], days: float = 28, *, until: datetime = NOON) -> Baseline:
    """A baseline that watched `spends`, by hour number, in every hour of the days before `until`."""
    baseline, end = Baseline(), hour_number(until)
    for hour in range(end - round(days * 24), end):
        baseline.learn(hour, spends(hour))
    return baseline


def bursts(mean: float = 100, *, seed: int = 1) -> Callable[[int], float]:
    """Spend per hour with half its mean as deviation; each hour's is its own, whatever was asked before."""
    return lambda hour: Random(seed * 1_000_003 + hour).gammavariate(4, mean / 4)


def workspace(
    *balances: float, at: datetime = NOON, per_day: Sequence[float] = (), spent: float | None = 0
) -> WorkspaceHistory:
    """Balances five minutes apart, the last one at `at`; `per_day` are the totals of the days before, latest first.

    `spent` is the total of the day of `at`; None where it is not known.
    """
    made, total_today = WorkspaceHistory(), None if spent is None else credit(spent)
    for n, total in reversed(list(enumerate(per_day, start=1))):
        made.add(at - n * DAY, credit(total), None, moved=True)
    for n, balance in enumerate(balances):
        made.add(at - 5 * MINUTE * (len(balances) - 1 - n), total_today, credit(balance), moved=True)
    return made


def view(*histories: History, at: datetime | None = None, rules: KeyRules | None = None, **more: Any) -> View:
    """What a good poll sees; `at` is when the first history was last read."""
    seen = at or (histories[0].latest.taken_at if histories else NOON)
    given = {"workspace": WorkspaceHistory(), "health": Health(good=True, last_good_at=seen)} | more
    return View(seen, histories, rules_of=lambda key_id, name: rules or KeyRules(), **given)


def finding(kind: str = "cap", level: int = 1, **more: Any) -> Finding:
    given = {"severity": Severity.WARNING, "title": f"{kind} at {level}", "key_id": "key_1", "key_name": "render"}
    return Finding(kind=kind, level=level, **(given | more))


def alert(kind: str = "cap", level: int = 1, *, at: datetime = NOON, **more: Any) -> Alert:
    """An open alert last seen at `at`; fields of Alert go to it, all others to its finding."""
    own = {name: more.pop(name) for name in [*more] if name in Alert.__dataclass_fields__}
    given = {"id": 1, "status": Status.OPEN, "level": level, "opened_at": at, "last_seen_at": at}
    return Alert(finding=finding(kind, level, **more), **(given | own))


def opened(kind: str = "cap", level: int = 1, **more: Any) -> Transition:
    return Transition(alert(kind, level, **more), Change.OPENED, NOON)


def silence(pattern: str = "*", *, until: datetime = NOON + HOUR, **more: Any) -> Silence:
    return Silence(1, pattern, until, **({"created_at": NOON} | more))


def route(*channels: str, **more: Any) -> Route:
    return Route(channels or ("ops",), **more)


def replay(
    detector: Detector, views: Iterable[View], *, evaluated: Callable[[Finding], bool] = lambda finding: True
) -> list[tuple[Change, int]]:
    """What would be told over many polls, each change with its level; nobody acknowledges anything."""
    told: list[tuple[Change, int]] = []
    unresolved: dict[str, Alert] = {}
    for seen in views:
        result = reconcile(unresolved.values(), detector.examine(seen), evaluated=evaluated, now=seen.now)
        unresolved |= {one.fingerprint: one for one in result.seen}
        for transition in result.transitions:
            told.append((transition.change, transition.alert.level))
            unresolved[transition.alert.fingerprint] = transition.alert
            if transition.change is Change.RESOLVED:
                del unresolved[transition.alert.fingerprint]
    return told
