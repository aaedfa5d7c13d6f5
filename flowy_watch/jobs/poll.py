"""One poll, from reading to outbox: the table of contents of the product.

Longer than other files, so that it can be read from top to bottom in one place.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, partial
from threading import Event, Lock
from time import monotonic

import structlog

from flowy_watch.core.alert import OF_SPEND, Alert, Change, Evaluated, Reconciled, Status, Transition, reconcile
from flowy_watch.core.expectation import beyond
from flowy_watch.core.finding import Finding
from flowy_watch.core.merge import Known, merge, trouble_words
from flowy_watch.core.plan import plan
from flowy_watch.core.route import Telling
from flowy_watch.core.silence import Silence
from flowy_watch.core.stop import use_of
from flowy_watch.core.usage import Reading, day_of
from flowy_watch.core.watch import Watch
from flowy_watch.core.wobble import WINDOW
from flowy_watch.core.words import person_words
from flowy_watch.detectors import Detector, KeyRules, View
from flowy_watch.errors import CredentialRefused, Interrupted, SourceError
from flowy_watch.jobs.replay import replay
from flowy_watch.jobs.toll import with_toll
from flowy_watch.sources.base import Source
from flowy_watch.store import Store, Work
from flowy_watch.store.days import Listed
from flowy_watch.store.usage import FAILED, GOOD, PARTIAL

_TOLERATED = timedelta(minutes=5)  # between the source's clock and ours
_MISSING_SHARE = 0.2
_GIVEN = 1.0  # seconds: so long the reading, and then the recording, of a poll is left alone
_LENIENT_FOR = timedelta(weeks=5)  # after somebody called an alert no anomaly

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says about judging and telling."""

    telling: Telling
    rules_of: Callable[[str, str], KeyRules]
    false_alarms_per_month: float = 4.0
    rests_until: timedelta = timedelta(0)
    """As `View` has it."""
    sources: frozenset[str] = frozenset()
    """The names of those that are asked; empty: any."""


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll came to."""

    outcome: str
    reason: str
    keys: int
    skipped: int
    transitions: tuple[Transition, ...]
    waiting: int
    """Notifications put into the outbox."""


@dataclass(frozen=True, slots=True)
class _Pulled:
    """A reading, or why there is none."""

    reading: Reading
    outcome: str
    reason: str = ""
    refused: bool = False

    @property
    def whole(self) -> bool:
        return self.outcome != FAILED and not any(part.trouble for part in self.reading.parts)


class PollJob:
    """Keeps what is known between polls in memory, and reads it again whenever somebody else wrote a poll."""

    def __init__(self, source: Source, store: Store, detectors: Sequence[Detector], rules: Rules) -> None:
        self._source, self._store, self._detectors, self._rules = source, store, detectors, rules
        self._one_at_a_time = Lock()
        self._watch: Watch | None = None
        self._numbers: dict[str, int] = {}
        self._listed = Listed()
        self._poll_id = -1
        self.leaving = Event()
        """Set when the process is to end: what takes long then stops where it is."""
        self._idle = Event()
        self._idle.set()
        self._step_began = 0.0
        self.took: timedelta | None = None
        """The last poll that came to an end, from the first byte to the commit."""

    def run(self, now: datetime) -> Polled:
        """Read the source with no transaction open, then record the whole poll or none of it.

        Raises Interrupted, and records nothing, when no whole reading was had because `leaving` is set.
        """
        with self._one_at_a_time:
            self._catch_up()
            began = monotonic()
            try:
                self._step_begins()
                pulled = self._pull(now)
                if self.leaving.is_set() and not pulled.whole:
                    raise Interrupted("the poll was cut short; the next start makes another")
                self._step_begins()
                polled = self._settled(pulled, now)
            finally:
                self._idle.set()
            self.took = timedelta(seconds=monotonic() - began)
            _tell_log(polled)
            return polled

    def give_way(self) -> None:
        """For what can wait, such as a page: returns when no poll works, or when its present step takes too long.

        Both would want the interpreter, and the poll would get it back a few milliseconds late, again and again.
        """
        if left := self.works_for():
            self._idle.wait(left)

    def works_for(self) -> float:
        """So many seconds at most what can wait should wait; 0 when no poll works."""
        return 0.0 if self._idle.is_set() else max(0.0, self._step_began + _GIVEN - monotonic())

    def _step_begins(self) -> None:
        self._step_began = monotonic()
        self._idle.clear()

    def catch_up(self, alive: Callable[[], object] = lambda: None) -> None:
        """Take in what others stored, if it is much, before the next poll tells the time; `alive` as in `replay`."""
        with self._one_at_a_time:
            self._catch_up(alive)

    def _catch_up(self, alive: Callable[[], object] = lambda: None) -> None:
        if self._watch is not None:
            with self._store.read() as work:
                if self._poll_id == work.usage.last_poll_id():
                    return
        known = replay(self._store, leaving=self.leaving, alive=alive)
        self._watch, self._numbers, self._poll_id = known.watch, known.numbers, known.poll_id
        self._listed = Listed()

    def _settled(self, pulled: _Pulled, now: datetime) -> Polled:
        try:
            return self._recorded(pulled, now)
        except BaseException:
            self._watch = None  # it was moved forward and the database was not
            raise

    def _recorded(self, pulled: _Pulled, now: datetime) -> Polled:
        while True:
            with self._store.write() as work:
                if self._watch is not None and self._poll_id == work.usage.last_poll_id():
                    polled, poll_id = self._record(work, self._watch, pulled, now)
                    break
            self._catch_up()  # somebody stored a poll while we read ours
        self._poll_id = poll_id
        return polled

    def _pull(self, now: datetime) -> _Pulled:
        try:
            return _Pulled(self._source.pull(now), GOOD)
        except SourceError as error:
            refused = isinstance(error, CredentialRefused)
            return _Pulled(Reading(now, ()), FAILED, str(error), refused)

    def _record(self, work: Work, watch: Watch, pulled: _Pulled, now: datetime) -> tuple[Polled, int]:
        pulled = _judge(watch, _merged(watch, pulled, self._rules), self._rules.sources)
        reading = pulled.reading
        poll_id = work.usage.add_poll(
            now,
            pulled.outcome,
            reason=pulled.reason,
            refused=pulled.refused,
            keys=len(reading.snapshots),
            skipped=len(reading.skipped),
            clock_offset=reading.clock_offset,
        )
        work.knowledge.note_troubles(poll_id, reading.troubles)
        new_keys = self._take_in(work, watch, poll_id, pulled)
        view = self._view(work, watch, pulled, new_keys, now)
        findings = [finding for detector in self._detectors for finding in detector.examine(view)]
        silences = work.alerts.silences(now)
        small = [finding for finding in findings if finding.small]
        if small:
            findings = [finding for finding in findings if not finding.small]
        findings += beyond(view.histories, silences, watch.workspace.balance, view.provenance)
        known = work.alerts.unresolved()
        unresolved = [_woken(alert, now) for alert in known]
        woken = {alert.id for alert, before in zip(unresolved, known, strict=True) if alert is not before}
        evaluated = _evaluated(pulled)
        result = reconcile(
            unresolved,
            findings,
            evaluated=evaluated,
            uses=partial(use_of, histories=watch.histories, clock_offset=reading.clock_offset),
            ended=_ended_lately(work, unresolved, findings, now),
            now=now,
        )
        transitions = work.alerts.record(with_toll(work, transition) for transition in result.transitions)
        unchanged = _unchanged(unresolved, result)
        unchanged = [_awake(alert) if alert.id in woken else alert for alert in unchanged]
        work.alerts.update(unchanged)
        _note_small(work, small, unresolved, transitions, now)
        waiting = self._tell(work, transitions, unchanged, silences, evaluated, now)
        polled = Polled(
            pulled.outcome, pulled.reason, len(reading.snapshots), len(reading.skipped), tuple(transitions), waiting
        )
        return polled, poll_id

    def _take_in(self, work: Work, watch: Watch, poll_id: int, pulled: _Pulled) -> frozenset[str]:
        reading = pulled.reading
        if pulled.outcome == FAILED:
            return frozenset()
        before = watch.taken_at
        after = None if reading.troubles else self._listed  # what a failed source knew before is counted first
        work.usage.add_snapshots(poll_id, reading, self._numbers, after)
        known, new = watch.listed_before, watch.add(reading)
        work.usage.rename(watch.renamed)
        if reading.provenance:
            work.knowledge.note_provenances(watch.note_provenances(reading.provenance), self._numbers)
            work.knowledge.note_answers(day_of(reading.taken_at), reading.answers, self._numbers)
        if pulled.outcome == GOOD:
            watch.listed_before = True
        if (
            before is None
            or reading.rebased  # snapshots do not tell, and a replay must not take it for spend
            or before.replace(minute=0, second=0, microsecond=0)
            != reading.taken_at.replace(minute=0, second=0, microsecond=0)
        ):
            work.usage.save_states(watch, self._numbers)
        return new if known else frozenset()

    def _view(self, work: Work, watch: Watch, pulled: _Pulled, new_keys: frozenset[str], now: datetime) -> View:
        listed = watch.listed if pulled.outcome != FAILED else []
        health = work.usage.health(tolerance=_TOLERATED)
        if pulled.reading.troubles:
            health = replace(health, troubles=work.knowledge.standing_troubles(pulled.reading.troubles))
        rules = self._rules
        return View(
            now,
            listed,
            watch.workspace,
            health,
            rules.rules_of,
            new_keys,
            rules.false_alarms_per_month,
            work.alerts.dismissals(now - _LENIENT_FOR),
            pulled.reading.sightings,
            pulled.reading.provenance,
            rules.rests_until,
        )

    def _tell(
        self,
        work: Work,
        transitions: Iterable[Transition],
        standing: Iterable[Alert],
        silences: Sequence[Silence],
        knowable: Evaluated,
        now: datetime,
    ) -> int:
        planned = plan(
            transitions,
            standing,
            telling=self._rules.telling,
            silences=silences,
            past=work.outbox.past,
            knowable=knowable,
            now=now,
        )
        work.alerts.settle(planned.settled)
        return work.outbox.add(planned.notifications)


def _merged(watch: Watch, pulled: _Pulled, rules: Rules) -> _Pulled:
    """One reading, where several sources were asked. When all of them failed, there is none."""
    parts = pulled.reading.parts
    if not parts:
        return pulled
    at, troubles = pulled.reading.taken_at, tuple(part.trouble for part in parts if part.trouble)
    if len(troubles) == len(parts):
        refused = any(one.refused for one in troubles)
        return _Pulled(Reading(at, (), troubles=troubles), FAILED, trouble_words(troubles), refused)
    latest = {key_id: history.latest for key_id, history in watch.histories.items()}
    known = Known(latest, watch.provenance)
    return _Pulled(merge(parts, at, known, lambda *key: rules.rules_of(*key).same_as).reading, GOOD)


def _judge(watch: Watch, pulled: _Pulled, sources: frozenset[str]) -> _Pulled:
    """Hold a reading against what is known: refuse what cannot be, and say when keys are missing."""
    if pulled.outcome == FAILED:
        return pulled
    reading, at = pulled.reading, pulled.reading.taken_at
    nothing = replace(reading, snapshots=(), balance=None)
    if watch.taken_at is not None and at <= watch.taken_at:
        reason = f"this machine's clock is behind the last poll ({watch.taken_at:%Y-%m-%d %H:%M:%S} UTC); set it (NTP)"
        return _Pulled(nothing, FAILED, reason)
    kept, stale = watch.believable(reading)
    if stale:
        reading = replace(reading, snapshots=kept, skipped=(*reading.skipped, *stale))
    if stale and not kept:
        return _Pulled(nothing, FAILED, "the source still shows yesterday's counters after 00:00 UTC")
    if reading.troubles:  # keys that are missing are those of the source that failed
        return _Pulled(reading, PARTIAL if kept else FAILED, trouble_words(reading.troubles))
    missing = watch.missing(reading, sources)
    if not kept:
        return _Pulled(nothing, FAILED, f"the source lists no keys; it listed {len(missing)}") if missing else pulled
    if len(missing) > max(1, _MISSING_SHARE * (len(missing) + len(kept))):
        skipped = f", {len(reading.skipped)} of them unreadable" if reading.skipped else ""
        return _Pulled(reading, PARTIAL, f"{len(missing)} of {len(missing) + len(kept)} keys are missing{skipped}")
    return _Pulled(reading, GOOD)


def _evaluated(pulled: _Pulled) -> Evaluated:
    """What this poll could have seen: blindness always, a key when it was listed, the balance when it was told."""
    listed = cache(lambda: {s.key_id: s.spent is not None for s in pulled.reading.snapshots})  # most polls never ask
    balance = pulled.reading.balance is not None

    def could_see(finding: Finding) -> bool:
        if finding.kind == "blind":
            return True
        if not finding.key_id:
            return balance
        return listed().get(finding.key_id, False) or (finding.kind not in OF_SPEND and finding.key_id in listed())

    return could_see


def _ended_lately(work: Work, unresolved: Iterable[Alert], findings: Iterable[Finding], now: datetime) -> list[Alert]:
    """What new findings could be the return of; asked only when there is a new one."""
    known = {alert.fingerprint for alert in unresolved}
    return work.alerts.ended_since(now - WINDOW) if any(one.fingerprint not in known for one in findings) else []


def _note_small(
    work: Work, small: Sequence[Finding], unresolved: Iterable[Alert], transitions: Iterable[Transition], now: datetime
) -> None:
    """Keep what is too little for an alert, unless the same problem has one."""
    opened = {one.alert.fingerprint for one in transitions if one.change is Change.OPENED}
    if small:
        work.small.note(small, alerts=opened | {alert.fingerprint for alert in unresolved}, now=now)
    if opened:
        work.small.became_alerts(opened, now)


def _unchanged(unresolved: Iterable[Alert], result: Reconciled) -> list[Alert]:
    """Alerts that nothing happened to, as this poll saw them; those that it did not find again included."""
    seen = {alert.id: alert for alert in result.seen}
    changed = {transition.alert.id for transition in result.transitions}
    return [seen.get(alert.id, alert) for alert in unresolved if alert.id not in changed]


def _woken(alert: Alert, now: datetime) -> Alert:
    """An acknowledgement with an end that has come: the alert is open again."""
    if alert.status is Status.ACKNOWLEDGED and alert.acknowledged_until and alert.acknowledged_until <= now:
        return replace(alert, status=Status.OPEN, acknowledged_until=None)
    return alert


def _awake(alert: Alert) -> Alert:
    """Told again, whatever was told before."""
    by = f" by {person_words(alert.acknowledged_by)}" if alert.acknowledged_by else ""
    return replace(alert, told_level=0, held_by=f"the acknowledgement{by}")


def _tell_log(polled: Polled) -> None:
    note = log.info if polled.outcome == GOOD else log.warning
    note("poll", outcome=polled.outcome, keys=polled.keys, skipped=polled.skipped, reason=polled.reason)
    for transition in polled.transitions:
        alert = transition.alert
        log.info(
            f"alert.{transition.change.value}",
            alert=alert.id,
            kind=alert.finding.kind,
            key_id=alert.finding.key_id,
            severity=alert.finding.severity.word,
            title=alert.finding.title,
        )
