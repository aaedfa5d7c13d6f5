"""Digests to start a test from: a week of whole days, amounts in whole credits."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flowy_watch.core.digest import AlertFigures, BalanceFigures, DayFigures, Digest, Facts, KeyFigures, Outcome, build
from flowy_watch.core.period import Period
from flowy_watch.core.usage import DAY
from tests.builders import credit

WEEK = Period.parse("2026-W47")
MADE = datetime(2026, 11, 23, 8, tzinfo=UTC)  # 09:00 in Madrid
NOTHING = timedelta(0)


def key(name: str, *days: float | None, earlier: Sequence[float] = (), **more: Any) -> KeyFigures:
    """Spent on the days of the week, zeros after what is given; `cap` and `usual_high` in credits."""
    for amount in ("cap", "cap_before", "usual_high"):
        if more.get(amount) is not None:
            more[amount] = credit(more[amount])
    spent = [*days, *[0.0] * (7 - len(days))]
    before = [credit(one) for one in (*earlier, *[0.0] * (4 - len(earlier)))]
    of_days = tuple(None if day is None else credit(day) for day in spent)
    return KeyFigures(f"key_{name}", name, of_days, tuple(before), **more)


def facts(*keys: KeyFigures, per_day: float | None = None, **more: Any) -> Facts:
    """What the database would say: the days before the week each hold `per_day`, or are not known."""
    first = WEEK.first - 28 * DAY
    days = [
        DayFigures(first + n * DAY, credit(per_day or 0), len(keys) if per_day is not None else 0) for n in range(28)
    ]
    days += [
        DayFigures(day, sum(one.days[n] or 0 for one in keys), len(keys), sum(one.open_days > 0 for one in keys))
        for n, day in enumerate(WEEK.days())
    ]
    before = [WEEK.before()]
    for _ in range(3):
        before.append(before[-1].before())
    given = {"balance": None, "alerts": (), "blind_hours": 0, "seen": [per_day is not None] * 4} | more
    return Facts(keys, days, before, **given)


def digest(*keys: KeyFigures, owners: dict[str, str] | None = None, **more: Any) -> Digest:
    """Of the whole workspace; `owners` by name of key."""
    return build(
        facts(*keys, **more),
        WEEK,
        owner_of=lambda _, name: (owners or {}).get(name, ""),
        now=MADE,
        late_by=NOTHING,
    )


def balance(at_end: float, *, fell: float, rose: float = 0) -> BalanceFigures:
    return BalanceFigures(credit(at_end), credit(fell), credit(rose), (credit(at_end),) * 28)


def alert_figures(outcome: Outcome = Outcome.OPEN, **more: Any) -> AlertFigures:
    given = {"id": 12, "kind": "spike", "severity": "critical", "title": "render spent 900 credits in the last hour"}
    return AlertFigures(
        **(given | {"opened_at": MADE - 2 * DAY, "key_id": "key_render", "key_name": "render"} | more), outcome=outcome
    )


def names(keys: Iterable[KeyFigures]) -> list[str]:
    return [one.name for one in keys]
