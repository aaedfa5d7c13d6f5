"""What a digest asks people to do: few things, the most urgent first."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from flowy_watch.core.digest import AlertFigures, Digest, KeyFigures, Outcome
from flowy_watch.core.usage import ALL_KEYS, CREDIT, Microcredits

MOST = 5
_SHORT_RUNWAY = 14
"""Days of balance below which topping up is something to do."""
_MUCH_UNATTRIBUTED = 0.05
_OFTEN_AT_CAP = 2


class Task(StrEnum):
    """In the order of their urgency."""

    TOP_UP = "top up"
    ANSWER = "answer"
    SET_CAP = "set cap"
    AT_CAP = "at cap"
    EXPLAIN = "explain"
    REVOKE = "revoke"
    LOWER_CAP = "lower cap"


@dataclass(frozen=True, slots=True)
class Todo:
    """One thing to do, in one place."""

    task: Task
    key: KeyFigures | None = None
    alert: AlertFigures | None = None
    amount: Microcredits = 0
    """What the words need: the cap to set, or the credits to explain."""
    more: int = 0
    """So many other keys ask for the same."""


def todos(digest: Digest, *, most: int = MOST) -> tuple[Todo, ...]:
    """At most `most`; of each kind the weightiest first, and no second of a kind before the first of another."""
    found = [list(kind) for kind in (_top_up(digest), _answer(digest), *_about_keys(digest))]
    firsts = [Todo(one.task, one.key, one.alert, one.amount, len(kind) - 1) for kind in found for one in kind[:1]]
    order = list(Task)
    return tuple(sorted(firsts, key=lambda todo: order.index(todo.task))[:most])


def _top_up(digest: Digest) -> Iterator[Todo]:
    days = digest.runway.days if digest.runway else None
    if days is not None and days < _SHORT_RUNWAY:
        yield Todo(Task.TOP_UP)


def _answer(digest: Digest) -> Iterator[Todo]:
    waiting = [alert for alert in digest.alerts if alert.outcome is Outcome.OPEN]
    rank = {"critical": 0, "warning": 1}
    for alert in sorted(waiting, key=lambda alert: (rank.get(alert.severity, 2), -(alert.cost or 0), alert.id)):
        if alert.severity in rank:
            yield Todo(Task.ANSWER, next((k for k in digest.keys if k.key_id == alert.key_id), None), alert)


def _about_keys(digest: Digest) -> Iterator[list[Todo]]:
    keys = [key for key in digest.single_keys if key.active and key.key_id != ALL_KEYS]
    yield [Todo(Task.SET_CAP, key, amount=fit_cap(key)) for key in keys if key.cap is None and key.spent]
    often = [key for key in keys if key.at_cap >= _OFTEN_AT_CAP]
    yield [Todo(Task.AT_CAP, key) for key in sorted(often, key=lambda key: -key.at_cap)]
    if digest.total and digest.unattributed > _MUCH_UNATTRIBUTED * digest.total:
        yield [Todo(Task.EXPLAIN, amount=digest.unattributed)]
    idle = [key for key in keys if key.idle_days and not key.spent]
    yield [Todo(Task.REVOKE, key) for key in sorted(idle, key=lambda key: (-key.idle_days, key.name))]
    loose = [key for key in keys if key.cap_too_high]
    loose.sort(key=lambda key: -(key.cap or 0))
    yield [Todo(Task.LOWER_CAP, key, amount=fit_cap(key)) for key in loose]


def fit_cap(key: KeyFigures) -> Microcredits:
    """Two and a half of a key's high days, which stops a leak early and no honest day, as a round number of credits."""
    high = key.usual_high or max((day for day in key.days if day is not None), default=0)
    wanted = max(high * 5 // 2, CREDIT)
    step: Microcredits = CREDIT * 10 ** max(len(str(wanted // CREDIT)) - 2, 0)
    return -(-wanted // step) * step
