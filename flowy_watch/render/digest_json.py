"""A digest for programs: every figure of it, credits as integers of micro-credits."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from flowy_watch.core.digest import AlertFigures, Digest, KeyFigures, by_owner, contributions, movers
from flowy_watch.core.forecast import Expected
from flowy_watch.core.todo import todos


def digest_fields(digest: Digest) -> dict[str, Any]:
    """As `digest --json` prints it. The contributions add up to `total_microcredits` exactly."""
    up, down = movers(digest)
    balance = digest.balance
    return {
        "period": digest.period.name,
        "first_day": digest.period.first.isoformat(),
        "last_day": list(digest.period.days())[-1].isoformat(),
        "owner": digest.owner or None,
        "made_at": digest.made_at,
        "late_by_seconds": digest.late_by.total_seconds(),
        "at_least": digest.at_least,
        "missing_days": [day.isoformat() for day in digest.missing_days],
        "blind_hours": digest.blind_hours,
        "total_microcredits": digest.total,
        "unattributed_microcredits": digest.unattributed,
        "before_microcredits": digest.before,
        "usual_microcredits": digest.usual,
        "change_to_before": digest.change(digest.before),
        "change_to_usual": digest.change(digest.usual),
        "share_of_workspace": digest.share,
        "contributions": [
            {"name": part.name, "key_id": part.key and part.key.key_id, "keys": part.keys, "microcredits": part.spent}
            for part in contributions(digest)
        ],
        "owners": [
            {"owner": owner or None, "microcredits": now, "before_microcredits": before}
            for owner, now, before in by_owner(digest)
        ],
        "up": [_moved(key) for key in up],
        "down": [_moved(key) for key in down],
        "keys": [_key(key) for key in digest.keys],
        "days": [
            {
                "day": day.day.isoformat(),
                "microcredits": day.spent,
                "keys": day.keys,
                "keys_not_seen_to_its_end": day.open_keys,
            }
            for day in digest.days
        ],
        "balance": balance
        and {
            "at_end_microcredits": balance.at_end,
            "fell_microcredits": balance.fell,
            "topped_up_microcredits": balance.rose,
        },
        "runway_days": digest.runway and asdict(digest.runway),
        "month": digest.month_name,
        "month_expected": _expected(digest.month),
        "period_was_expected": _expected(digest.foretold),
        "alerts": [_alert(alert) for alert in digest.alerts],
        "small_anomalies": [
            {
                "kind": one.kind,
                "key_id": one.key_id or None,
                "title": one.title,
                "opened_at": one.opened_at,
                "excess_microcredits": one.excess,
                "told_from_microcredits": one.least,
            }
            for one in digest.small
        ],
        "to_do": [
            {
                "task": todo.task.value,
                "key_id": todo.key and todo.key.key_id,
                "owner": (todo.key.owner or None) if todo.key else None,
                "alert": todo.alert and todo.alert.id,
                "microcredits": todo.amount or None,
                "more_keys": todo.more,
            }
            for todo in todos(digest)
        ],
    }


def _moved(key: KeyFigures) -> dict[str, Any]:
    return {"key_id": key.key_id, "name": key.name, "microcredits": key.change}


def _key(key: KeyFigures) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "owner": key.owner or None,
        "status": key.status,
        "microcredits": key.spent,
        "by_day_microcredits": key.days,
        "earlier_microcredits": key.earlier,
        "daily_cap_microcredits": key.cap,
        "daily_cap_before_microcredits": key.cap_before,
        "high_day_microcredits": key.usual_high,
        "days_at_cap": key.at_cap,
        "days_near_cap": key.near_cap,
        "days_not_seen_to_their_end": key.open_days,
        "refused_401": key.answers and key.answers.refused,
        "refused_402": key.answers and key.answers.capped,
        "refused_429": key.answers and key.answers.throttled,
        "days_of_unknown_spend": key.unknown_days,
        "idle_for_days": key.idle_days or None,
        "new": key.new,
        "revoked": key.revoked,
        "cap_too_high": key.cap_too_high,
    }


def _expected(expected: Expected | None) -> dict[str, int] | None:
    if expected is None:
        return None
    return {
        "microcredits": expected.amount,
        "low_microcredits": expected.low,
        "high_microcredits": expected.high,
    }


def _alert(alert: AlertFigures) -> dict[str, Any]:
    return {
        "id": alert.id,
        "kind": alert.kind,
        "severity": alert.severity,
        "title": alert.title,
        "key_id": alert.key_id or None,
        "opened_at": alert.opened_at,
        "outcome": alert.outcome.value,
        "detected_after_seconds": _seconds(alert.detected_after),
        "stopped_after_seconds": _seconds(alert.stopped_after),
        "cost_microcredits": alert.cost,
    }


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
