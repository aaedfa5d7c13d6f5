"""What people start: acknowledge, silence, resolve, mark as expected. All with a button or a prompt share them."""

from dataclasses import replace
from datetime import datetime, timedelta

from flowy_watch.core.alert import Alert, Change, Status, Transition
from flowy_watch.core.expectation import on_course
from flowy_watch.core.history import History
from flowy_watch.core.pattern import matches
from flowy_watch.core.plan import plan
from flowy_watch.core.route import Telling
from flowy_watch.core.silence import Silence
from flowy_watch.core.stop import reported
from flowy_watch.core.usage import DAY, Microcredits, day_of
from flowy_watch.errors import NotFound
from flowy_watch.store import Store, Work

_PACE_FROM = timedelta(hours=2)
_MOST_KEYS = 500  # of a pattern, of which each one's usual day is looked up


def acknowledge(
    store: Store, alert_id: int, *, by: str, why: str, until: datetime | None, telling: Telling, now: datetime
) -> Alert:
    """Somebody looks after it: no more notices unless it gets worse, or until `until`. Committed when this returns.

    What stands on a channel that can show it says so; nobody else hears of it. Somebody else's acknowledgement that is
    still in force stays as it is; that there was a second one is in the log.
    """
    with store.write() as work:
        alert = _unresolved(work, alert_id)
        first = alert.acknowledged_by if alert.status is Status.ACKNOWLEDGED else ""
        over = alert.acknowledged_until is not None and alert.acknowledged_until <= now
        if first and first != by and not over:
            words = f"already acknowledged by {first}" + (f"; {why}" if why else "")
            _record(work, [Transition(alert, Change.SECONDED, now, by, words)], telling, now)
            return alert
        acknowledged = replace(
            alert, status=Status.ACKNOWLEDGED, acknowledged_by=by, acknowledged_until=until, told_level=alert.level
        )
        _record(work, [Transition(acknowledged, Change.ACKNOWLEDGED, now, by, why)], telling, now)
    return acknowledged


def report_stop(store: Store, alert_id: int, *, by: str, why: str, telling: Telling, now: datetime) -> list[Alert]:
    """Somebody revoked the key of an alert: that takes on all its open alerts, and from now on the polls check it.

    Returns them, that one first. Raises NotFound when the alert is over or about no key.
    """
    with store.write() as work:
        alert = _unresolved(work, alert_id)
        key_id = alert.finding.key_id
        if key_id is None:
            raise NotFound(
                f"alert {alert_id} is about no key: there is nothing to revoke; `flowy-watch ack` takes it on"
            )
        of_key = [other for other in work.alerts.unresolved() if other.finding.key_id == key_id]
        taken = [
            replace(
                other,
                status=Status.ACKNOWLEDGED,
                acknowledged_by=other.acknowledged_by or by,
                acknowledged_until=None,
                told_level=other.level,
                stop=reported(other.stop, by, now),
            )
            for other in sorted(of_key, key=lambda other: other.id != alert_id)
        ]
        _record(work, [Transition(other, Change.STOP_REPORTED, now, by, why) for other in taken], telling, now)
    return taken


def resolve(
    store: Store, alert_id: int, *, by: str, why: str, no_anomaly: bool = False, telling: Telling, now: datetime
) -> Alert:
    """Somebody says it is over. It opens anew if a poll finds it again. Whoever was told of it hears of its end.

    With `no_anomaly` the key is judged more leniently for five weeks (see `View.threshold`), and what goes on is
    expected for a day: else the next poll would find it again.
    """
    with store.write() as work:
        resolved = replace(_unresolved(work, alert_id), status=Status.RESOLVED, resolved_at=now)
        change = Change.DISMISSED if no_anomaly else Change.RESOLVED
        _record(work, [Transition(resolved, change, now, by, why)], telling, now)
        if no_anomaly and (key_id := resolved.finding.key_id):
            most = _on_course(work, key_id, now)
            work.alerts.add_silence(
                Silence(0, key_id, now + DAY, now, why=why, by=by, expected=True, credits_at_most=most)
            )
    return resolved


def silence(store: Store, pattern: str, *, until: datetime, kind: str, by: str, why: str, now: datetime) -> Silence:
    """Do not tell about keys whose name or id matches, until then. What is still open when it ends is told again."""
    with store.write() as work:
        made = work.alerts.add_silence(Silence(0, pattern, until, now, kind, why, by))
        covered = [alert for alert in work.alerts.unresolved() if made.covers(alert, at=now)]
        work.alerts.settle(replace(alert, held_by=made.label) for alert in covered)
    return made


def silence_alert(
    store: Store, alert_id: int, *, until: datetime, by: str, why: str, telling: Telling, now: datetime
) -> Silence:
    """Do not tell about the key of this alert, or, where it is about none, about its kind; its message says so."""
    with store.write() as work:
        alert = _unresolved(work, alert_id)
        finding = alert.finding
        pattern, kind = (finding.key_id, "") if finding.key_id else ("*", finding.kind)
        made = work.alerts.add_silence(Silence(0, pattern, until, now, kind, why, by))
        words = f"silence {made.id} by {by} until {until:%Y-%m-%d %H:%M} UTC" + (f", {why}" if why else "")
        _record(work, [Transition(alert, Change.SILENCED, now, by, words)], telling, now)
    return made


def expect(
    store: Store,
    key: str,
    *,
    until: datetime,
    at_most: Microcredits | None,
    by: str,
    why: str,
    telling: Telling,
    now: datetime,
) -> tuple[Silence, list[Alert]]:
    """What a key does is known and wanted, until then and up to an amount a day; its open alerts about it are taken on.

    Without an amount it is what the key is on course to spend today. Beyond half as much again an alert opens. Raises
    NotFound when no key has that name or id, or matches the pattern.
    """
    with store.write() as work:
        if not any(matches(key, row.name, row.key_id) for row in work.usage.keys_today(day_of(now))):
            raise NotFound(f"no key is called {key}; `flowy-watch status` lists them")
        at_most = _on_course(work, key, now) if at_most is None else at_most
        made = work.alerts.add_silence(
            Silence(0, key, until, now, why=why, by=by, expected=True, credits_at_most=at_most)
        )
        taken = [
            replace(
                alert,
                status=Status.ACKNOWLEDGED,
                acknowledged_by=by,
                acknowledged_until=until,
                told_level=alert.level,
            )
            for alert in work.alerts.unresolved()
            if made.covers(alert, at=now)
        ]
        _record(work, [Transition(alert, Change.EXPECTED, now, by, why) for alert in taken], telling, now)
    return made, taken


def unsilence(store: Store, silence_id: int, *, by: str, why: str = "", now: datetime) -> None:
    """End a silence. Raises NotFound when none of that number is in force."""
    with store.write() as work:
        if not work.alerts.end_silence(silence_id, at=now, by=by, why=why):
            raise NotFound(f"no silence {silence_id} is in force; `flowy-watch status` lists them")


def _on_course(work: Work, pattern: str, now: datetime) -> Microcredits | None:
    """What the keys of a pattern are on course to spend today, the most of any one; None where nothing tells.

    A key of which nothing is known is expected to spend half its cap.
    """
    rows = [row for row in work.usage.keys_today(day_of(now)) if matches(pattern, row.name, row.key_id)]
    ids = [row.key_id for row in rows]
    histories: dict[str, History] = {}
    for reading in work.usage.readings(since=now - _PACE_FROM, key_ids=ids if len(ids) <= _MOST_KEYS else ()):
        for snapshot in reading.snapshots:
            if snapshot.key_id in histories:
                histories[snapshot.key_id].add(snapshot)
            else:
                histories[snapshot.key_id] = History(snapshot)
    amounts = []
    for row in rows:
        days = work.usage.days_of(row.key_id) if len(ids) <= _MOST_KEYS else []
        amount = on_course(histories.get(row.key_id), days, day_of(now))
        amounts.append(amount or (row.daily_cap_microcredits or 0) // 2)
    return max(amounts, default=0) or None


def _record(work: Work, transitions: list[Transition], telling: Telling, now: datetime) -> None:
    """What people did and what is told of it, in one transaction."""
    work.alerts.record(transitions)
    silences, past = work.alerts.silences(now), work.outbox.past
    work.outbox.add(plan(transitions, telling=telling, silences=silences, past=past, now=now).notifications)


def _unresolved(work: Work, alert_id: int) -> Alert:
    alert = work.alerts.get(alert_id)
    if alert is None:
        raise NotFound(f"there is no alert {alert_id}; `flowy-watch alerts` lists them")
    if alert.status is Status.RESOLVED:
        raise NotFound(f"alert {alert_id} is already resolved")
    return alert
