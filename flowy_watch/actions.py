"""What people start: acknowledge, silence, resolve. Shared by everything with a button or a prompt."""

from dataclasses import replace
from datetime import datetime

from flowy_watch.core.alert import Alert, Change, Status, Transition
from flowy_watch.core.silence import Silence
from flowy_watch.errors import NotFound
from flowy_watch.store import Store, Work


def acknowledge(store: Store, alert_id: int, *, by: str, why: str, until: datetime | None, now: datetime) -> Alert:
    """Somebody looks after it: no more notices unless it gets worse, or until `until`. Committed when this returns."""
    with store.write() as work:
        alert = _unresolved(work, alert_id)
        acknowledged = replace(
            alert, status=Status.ACKNOWLEDGED, acknowledged_by=by, acknowledged_until=until, told_level=alert.level
        )
        work.alerts.record([Transition(acknowledged, Change.ACKNOWLEDGED, now, by, why)])
    return acknowledged


def resolve(store: Store, alert_id: int, *, by: str, why: str, now: datetime) -> Alert:
    """Somebody says it is over. It opens anew if a poll finds it again."""
    with store.write() as work:
        resolved = replace(_unresolved(work, alert_id), status=Status.RESOLVED, resolved_at=now)
        work.alerts.record([Transition(resolved, Change.RESOLVED, now, by, why)])
    return resolved


def silence(store: Store, pattern: str, *, until: datetime, kind: str, by: str, why: str, now: datetime) -> Silence:
    """Do not tell about keys whose name or id matches, until then."""
    with store.write() as work:
        return work.alerts.add_silence(Silence(0, pattern, until, now, kind, why, by))


def unsilence(store: Store, silence_id: int, *, by: str, now: datetime) -> None:
    """End a silence. Raises NotFound when none of that number is in force."""
    with store.write() as work:
        if not work.alerts.end_silence(silence_id, at=now, by=by):
            raise NotFound(f"no silence {silence_id} is in force; `flowy-watch status` lists them")


def _unresolved(work: Work, alert_id: int) -> Alert:
    alert = work.alerts.get(alert_id)
    if alert is None:
        raise NotFound(f"there is no alert {alert_id}; `flowy-watch alerts` lists them")
    if alert.status is Status.RESOLVED:
        raise NotFound(f"alert {alert_id} is already resolved")
    return alert
