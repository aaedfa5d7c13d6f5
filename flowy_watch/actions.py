"""What people start: acknowledge, silence, resolve, expect, block. All with a button or a prompt share them.

Longer than most: whoever adds one should see how the others record what was done.
"""

from dataclasses import dataclass, replace
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
from flowy_watch.ledger import Block, Ledger, find_key
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


@dataclass(frozen=True, slots=True)
class Blocked:
    """A key that the meter refuses, and what was taken on with that."""

    words: str
    """The key by name, last four and fingerprint."""
    block: Block
    taken: tuple[Alert, ...] = ()
    new: bool = True
    """False where somebody had blocked it before: that block stays as it is."""


def block(store: Store, ledger: Ledger, key: str, *, by: str, why: str, telling: Telling, now: datetime) -> Blocked:
    """Have the meter refuse a key from its next request on (401). That takes on the key's open alerts.

    `key` is a name, an id, a fingerprint, or the last four where they are one key's alone. Raises NotFound where
    nothing or more than one key is meant. What does not pass through the meter goes on.
    """
    fingerprint, words, ids = _at_meter(store, ledger, key, now)
    before = {each.fingerprint: each for each in ledger.blocks()}.get(fingerprint)
    ledger.block(fingerprint, by=by, why=why, now=now)  # first of all, whatever becomes of the record
    with store.write() as work:
        if before is None:
            work.alerts.log_block(now, "blocked", ids[0], f"{words} at the meter", by, why)
        taken = [
            replace(alert, status=Status.ACKNOWLEDGED, acknowledged_by=by, told_level=alert.level)
            for alert in work.alerts.unresolved()
            if (alert.finding.key_id in ids or alert.finding.meter_key == fingerprint) and alert.status is Status.OPEN
        ]
        said = f"blocked at the meter{': ' if why else ''}{why}"
        _record(work, [Transition(alert, Change.ACKNOWLEDGED, now, by, said) for alert in taken], telling, now)
    return Blocked(words, before or Block(fingerprint, now, by, why), tuple(taken), new=before is None)


def unblock(store: Store, ledger: Ledger, key: str, *, by: str, why: str, now: datetime) -> Blocked:
    """Let the meter pass a key on again. Raises NotFound where it is not blocked."""
    fingerprint, words, ids = _at_meter(store, ledger, key, now)
    before = {each.fingerprint: each for each in ledger.blocks()}
    if fingerprint not in before:
        raise NotFound(f"{words} is not blocked; `flowy-watch status` lists the blocks")
    with store.write() as work:  # first the record: a key is never let through by nobody
        work.alerts.log_block(now, "unblocked", ids[0], f"{words} at the meter", by, why)
    ledger.unblock(fingerprint)
    return Blocked(words, before[fingerprint])


def _at_meter(store: Store, ledger: Ledger, key: str, now: datetime) -> tuple[str, str, tuple[str, ...]]:
    """Fingerprint of a key, words for it, and the ids by which it is watched."""
    if not ledger.path.exists():
        raise NotFound(f"there is no ledger at {ledger.path}: the meter has not run yet, or its path is wrong")
    with store.read() as work:
        rows = [row for row in work.usage.keys_today(day_of(now)) if key in (row.key_id, row.name)]
        known = [work.knowledge.provenance(row.key_id) for row in rows]
    fingerprints = [one.fingerprint for one in known if one and one.fingerprint]
    # The last four are a guess where nothing better is known: only the ledger can tell whether they are one key's.
    guesses = [] if fingerprints else [text for row in rows for text in (row.key_id, row.last_four)]
    fingerprint, words = find_key(ledger.keys(day_of(now)), [key, *fingerprints, *guesses])
    return fingerprint, words, tuple(row.key_id for row in rows) or (fingerprint,)


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
