"""The money behind a finding: lost so far, per hour now, and what can still be lost."""

from datetime import timedelta

from flowy_watch.core.finding import Stakes
from flowy_watch.core.history import History
from flowy_watch.core.usage import Microcredits, next_reset


def stakes_of(history: History, balance: Microcredits | None, remark: str = "") -> Stakes | None:
    """What is at risk with one key, bounded by its cap and by the balance, whichever ends it first.

    None where the key's spend is not known.
    """
    latest = history.latest
    if latest.spent is None:
        return None
    now, cap, pace = latest.taken_at, latest.daily_cap, history.per_hour()
    reset = next_reset(now)
    today = _least(None if cap is None else max(cap - latest.spent, 0), balance)
    left = None if balance is None else max(balance - (today or 0), 0)
    hit_at = None
    if cap is not None and cap - latest.spent > 0 and pace > 0:
        hours = (cap - latest.spent) / pace
        if hours < 24 and now + timedelta(hours=hours) < reset:
            hit_at = now + timedelta(hours=hours)
    return Stakes(
        spent_today=latest.spent,
        per_hour=pace,
        resets_at=reset,
        daily_cap=cap,
        cap_hit_at=hit_at,
        at_risk_today=today,
        at_risk_next_day=_least(cap, left),
        balance=balance,
        remark=remark,
    )


def _least(one: Microcredits | None, other: Microcredits | None) -> Microcredits | None:
    known = [max(value, 0) for value in (one, other) if value is not None]
    return min(known, default=None)
