"""A workspace, its people and its channels, driven at random, and what must be true after every step.

All but the network's edge is the product's own: polls, actions, the outbox and its delivery over a real database.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from random import Random
from typing import Any

from flowy_watch import actions
from flowy_watch.channels.base import Envelope, Receipt
from flowy_watch.core.alert import Alert, Status, Transition
from flowy_watch.core.bundle import Form
from flowy_watch.core.check import Check
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.hours import Hours
from flowy_watch.core.message import Dialect, Message, PlainMessage
from flowy_watch.core.notification import Notification
from flowy_watch.core.route import Route, Telling, Traits
from flowy_watch.core.usage import KeyStatus, Snapshot, day_of
from flowy_watch.detectors import KeyRules, View
from flowy_watch.detectors.base import about_key
from flowy_watch.errors import Doubtful, NotFound, Refused, SourceError, TryLater
from flowy_watch.jobs.poll import Polled, PollJob, Rules
from flowy_watch.jobs.send import Delivery
from flowy_watch.show import story_lines
from flowy_watch.store import Store
from tests.builders import DAY, HOUR, MINUTE, reading, snapshot

from .outbox_rig import Dealt, SetClock
from .rigs import ScriptedSource, detectors

NIGHT = Hours.parse_daily("22:00-06:00 UTC")
CRITICAL = frozenset({Severity.CRITICAL})
TELLING = Telling(
    (
        Route(("ops", "mail"), repeat=6 * HOUR),
        Route(("ops",), CRITICAL, escalate_after=20 * MINUTE, escalate_to=("pager",)),
        Route(("mail",), owners=("ads team",), repeat=2 * HOUR),
    ),
    lambda key_id, name: f"{name} team" if name else "",
    {"ops": Traits(changes=True, threads=True), "pager": Traits(tracks=True)},
    {"ops": NIGHT},
)
NAMES = {"key_1": "render", "key_2": "voice", "key_3": "ads"}
ODD = {"spike": (2, 3), "ramp": (1,), "last_used": (1,), "safeguard": (1,)}
"""Kinds that the script decides, and their levels; from 3 on they are critical."""
LOUD = ("opened", "escalated", "repeated", "reopened", "stop_failed")


@dataclass
class OneKey:
    """What the source says of a key, and what a detector would find odd about it."""

    spent: float = 0
    cap: float = 100
    used: datetime | None = None
    status: KeyStatus = KeyStatus.ACTIVE
    odd: dict[str, int] = field(default_factory=dict)


class Script:
    """A detector that finds what it is told to."""

    def __init__(self) -> None:
        self.keys = {key_id: OneKey() for key_id in NAMES}
        self.purse = 0

    def examine(self, view: View) -> Iterator[Finding]:
        for history in view.histories:
            for kind, level in self.keys[history.latest.key_id].odd.items():
                yield about_key(history, view, kind, _severity(level), f"is odd ({kind}) at level {level}", level=level)
        if self.purse and view.workspace.balance_at == view.now:
            yield Finding("balance", _severity(self.purse), f"The balance is low ({self.purse})", level=self.purse)


def _severity(level: int) -> Severity:
    return Severity.CRITICAL if level >= 3 else Severity.WARNING


class FactsRenderer:
    """Renders which alerts are told, as JSON, so that a channel knows what it heard."""

    def render(self, notification: Notification, dialect: Dialect) -> Message:
        return PlainMessage(json.dumps({"form": "alone", "told": [_facts(notification)]}))

    def pages(self, notifications: Sequence[Notification], dialect: Dialect, form: Form) -> list[Dealt]:
        places = range(len(notifications))
        return [Dealt(form.value, tuple(places[start : start + 4])) for start in places[::4]]

    def render_page(
        self, notifications: Sequence[Notification], dialect: Dialect, *, headline: str, form: Form
    ) -> Message:
        return PlainMessage(json.dumps({"form": form.value, "told": [_facts(each) for each in notifications]}))

    def as_repeat(self, message: Message) -> Message:
        assert isinstance(message, PlainMessage)
        return PlainMessage(json.dumps(json.loads(message.text) | {"repeat": True}))


def _facts(notification: Notification) -> dict[str, Any]:
    alert = notification.alert
    return {
        "alerts": [alert.id, *notification.also_ids],
        "change": notification.change.value,
        "status": alert.status.value,
        "level": alert.level,
        "critical": alert.finding.severity is Severity.CRITICAL,
    }


@dataclass
class Heard:
    """One message that a channel took."""

    at: datetime
    outbox_id: str
    words: dict[str, Any]
    how: str
    """`post`, `change` or `line`."""

    @property
    def alerts(self) -> set[int]:
        return {number for told in self.words["told"] for number in told["alerts"]}


class Place:
    """A channel that works, is down, leaves its sender in doubt, or refuses."""

    dialect = Dialect.PLAIN

    def __init__(self, name: str, clock: SetClock, dice: Random) -> None:
        self.name, self.traits = name, TELLING.traits_of(name)
        self.clock, self.dice = clock, dice
        self.weather = "fine"
        self.heard: list[Heard] = []
        self.stands: dict[str, Heard] = {}
        self.doubts = 0

    def send(self, message: Message, envelope: Envelope) -> Receipt:
        assert isinstance(message, PlainMessage)
        if self.weather == "down":
            raise TryLater("down", retry_after=self.dice.choice((None, MINUTE, 2 * HOUR)))
        if self.weather == "refusing":
            raise Refused("refused")
        taken = self.weather == "fine" or self.dice.random() < 0.5
        receipt = self._take(envelope, json.loads(message.text)) if taken else Receipt()
        if self.weather == "doubtful":
            self.doubts += taken
            raise Doubtful("no answer", answered=self.dice.random() < 0.5)
        return receipt

    def _take(self, envelope: Envelope, words: dict[str, Any]) -> Receipt:
        how = "line" if envelope.reply_to else "change" if envelope.update_of in self.stands else "post"
        if how == "post" and envelope.or_nothing:
            return Receipt(envelope.update_of)
        message = Heard(self.clock.now(), envelope.outbox_id, words, how)
        self.heard.append(message)
        number = envelope.update_of if how == "change" else f"{self.name}-{len(self.heard)}"
        if how != "line":
            self.stands[number] = message
        return Receipt(number if self.traits.changes else "")

    def check(self) -> Iterable[Check]:
        return ()

    def close(self) -> None:
        """Nothing is open."""


class AskablePlace(Place):
    """Can be asked what arrived."""

    def find(self, envelope: Envelope, *, since: datetime) -> Receipt | None:
        if self.weather == "down":
            raise TryLater("down")
        for number, message in self.stands.items():
            if message.outbox_id == envelope.outbox_id:
                return Receipt(number)
        arrived = any(message.outbox_id == envelope.outbox_id for message in self.heard)
        return Receipt(envelope.update_of) if arrived else None


class Life:
    """The life of a workspace from noon on. After each step what must always be true is looked at."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store, self.clock, self.dice = store, SetClock(), Random(seed)
        self.script, self.source = Script(), ScriptedSource()
        self.places: dict[str, Place] = {
            name: (AskablePlace if name == "ops" else Place)(name, self.clock, self.dice)
            for name in ("ops", "mail", "pager")
        }
        self.resolved_by_hand: set[str] = set()
        self.uneven: set[str] = set()
        """Fingerprints of cap alerts whose key was shown with another cap: its share fell within the day."""
        self.caps: dict[str, float] = {}
        """By key, as a poll last took them in."""
        self.day = day_of(self.clock.at)
        self.restart()
        self.poll()

    def restart(self) -> None:
        rules = Rules(TELLING, lambda key_id, name: KeyRules())
        self.job = PollJob(self.source, self.store, [*detectors("cap", "blind"), self.script], rules)

    # ── what happens ─────────────────────────────────────────────────────────────────────────────────────────────

    def wait(self, span: timedelta) -> None:
        self.clock.at += span
        if day_of(self.clock.at) > self.day:  # once, though our clock went back over midnight
            self.day = day_of(self.clock.at)
            for key in self.script.keys.values():
                key.spent = 0

    def spend(self, key_id: str, amount: float) -> None:
        key = self.script.keys[key_id]
        key.spent, key.used = key.spent + amount, self.clock.at

    def cap(self, key_id: str, cap: float) -> None:
        self.script.keys[key_id].cap = cap

    def poll(self, *, unlisted: Iterable[str] = (), balance: bool = True) -> Polled:
        at = self.clock.at
        listed = [self._snapshot(key_id) for key_id in NAMES if key_id not in unlisted]
        self.source.answer = reading(*listed, at=at, balance=10_000 + self.dice.random() if balance else None)
        polled = self._polled({one.key_id for one in listed}, balance=balance)
        for key_id in {one.key_id for one in listed} if polled.outcome != "failed" else ():
            cap = self.script.keys[key_id].cap
            if self.caps.setdefault(key_id, cap) != cap:
                self.uneven.add(f"cap/{key_id}/{day_of(at)}")
                self.caps[key_id] = cap
        return polled

    def _snapshot(self, key_id: str) -> Snapshot:
        key, at = self.script.keys[key_id], self.clock.at
        return snapshot(key.spent, at, cap=key.cap, used=key.used, key_id=key_id, name=NAMES[key_id], status=key.status)

    def poll_in_vain(self) -> Polled:
        self.source.answer = SourceError("flowy: 503")
        return self._polled(set(), balance=False)

    def _polled(self, listed: set[str], *, balance: bool) -> Polled:
        before = {alert.id: alert for alert in self.unresolved()}
        polled = self.job.run(self.clock.at)
        self.clock.at += timedelta(seconds=1)
        if polled.outcome == "failed":
            listed, balance = set(), False
        for transition in polled.transitions:
            check_resolution(transition, listed, balance=balance)
        self.check_told(polled.transitions)
        self.check_held()
        self.check_acknowledged(before)
        return polled

    def act(self, what: str, alert: Alert) -> None:
        """One thing that people do about an alert; what cannot be done is refused in words."""
        told: dict[str, Any] = {"telling": TELLING, "now": self.clock.at}
        by = self.dice.choice(("ana", "ben"))
        try:
            if what == "ack":
                until = self.dice.choice((None, self.clock.at + HOUR))
                actions.acknowledge(self.store, alert.id, by=by, why="", until=until, **told)
            elif what == "revoked":
                actions.report_stop(self.store, alert.id, by=by, why="", **told)
            elif what == "silence":
                until = self.clock.at + self.dice.choice((HOUR, 8 * HOUR))
                actions.silence_alert(self.store, alert.id, until=until, by=by, why="", **told)
            elif what == "expect":
                until = self.clock.at + self.dice.choice((HOUR, DAY))
                key = alert.finding.key_name or "nobody"
                actions.expect(self.store, key, until=until, at_most=None, by=by, why="", **told)
            else:
                no_anomaly = what == "dismiss"
                actions.resolve(self.store, alert.id, by=by, why="", no_anomaly=no_anomaly, **told)
                self.resolved_by_hand.add(alert.fingerprint)
        except NotFound:
            assert alert.status is Status.RESOLVED or not alert.finding.key_id
        self.clock.at += timedelta(seconds=1)

    def silence(self, pattern: str, span: timedelta, kind: str) -> None:
        actions.silence(self.store, pattern, until=self.clock.at + span, kind=kind, by="ana", why="", now=self.clock.at)

    def unsilence(self) -> None:
        with self.store.read() as work:
            active = work.alerts.silences(self.clock.at)
        active = [silence for silence in active if not silence.ended_at]
        if active:
            actions.unsilence(self.store, self.dice.choice(active).id, by="ben", now=self.clock.at)

    def deliver(self) -> None:
        for name, place in self.places.items():
            others = [other for other in self.places if other != name]
            quiet = TELLING.quiet_hours.get(name)
            Delivery(self.store, place, FactsRenderer(), self.clock, others=others, quiet=quiet).send_due()

    # ── what is there ────────────────────────────────────────────────────────────────────────────────────────────

    def alerts(self) -> list[Alert]:
        with self.store.read() as work:
            return work.alerts.all()

    def unresolved(self) -> list[Alert]:
        with self.store.read() as work:
            return work.alerts.unresolved()

    def notices(self, alert: Alert) -> list[Any]:
        with self.store.read() as work:
            return work.outbox.story(alert.id)

    def decisions(self) -> int:
        """Every notice that was planned, sent or withheld."""
        with self.store.read() as work:
            return sum(work.outbox.counts().values())

    # ── what is true after every poll ────────────────────────────────────────────────────────────────────────────

    def check_told(self, transitions: Iterable[Transition]) -> None:
        """What happened leads to a notice on each route, or to a reason why not; worse does so through everything
        that people said but a silence."""
        for transition in transitions:
            alert, change = transition.alert, transition.change
            mine = [row for row in self.notices(alert) if row.created_at == transition.at and row.change == change]
            assert mine, f"nothing says who heard of {change} of alert {alert.id}"
            assert all(row.reason for row in mine if row.status == "withheld")
            if not change.is_news:
                continue
            whole = [row for row in mine if not row.channel]
            assert whole or {row.channel for row in mine} >= set(TELLING.channels(alert))
            for row in mine:
                reasons = ("silence", "marked as expected", "inhibited by alert", "told with alert")
                assert row.status != "withheld" or row.reason.startswith(reasons), row.reason

    def check_held(self) -> None:
        """What is open and not told at its level is held back by something that is still there."""
        now = self.clock.at - timedelta(seconds=1)
        with self.store.read() as work:
            silences, unresolved = work.alerts.silences(now), work.alerts.unresolved()
        there = {f"alert {alert.id}" for alert in unresolved}
        for alert in unresolved:
            if alert.status is not Status.OPEN:
                continue
            covering = [silence.label for silence in silences if silence.covers(alert, at=now)]
            if covering:
                assert alert.held_by in covering, f"alert {alert.id} is silenced and held by {alert.held_by!r}"
            else:
                told = alert.told_level >= alert.level and not alert.held_by
                assert told or alert.held_by in there, f"alert {alert.id} is held by {alert.held_by!r}, told {told}"

    def check_acknowledged(self, before: dict[int, Alert]) -> None:
        """While somebody looks after an alert, nobody is bothered with it."""
        now = self.clock.at - timedelta(seconds=1)
        for alert in self.unresolved():
            was = before.get(alert.id)
            if alert.status is Status.ACKNOWLEDGED and was and was.status is Status.ACKNOWLEDGED:
                loud = [row for row in self.notices(alert) if row.created_at == now and row.change in LOUD]
                assert not loud, f"alert {alert.id} is acknowledged and told as {loud[0].change}"

    # ── what is true in the end ──────────────────────────────────────────────────────────────────────────────────

    def end(self) -> None:
        """All channels work again, and what waits is told."""
        for place in self.places.values():
            place.weather = "fine"
        for _ in range(60):
            self.deliver()
            self.clock.at += HOUR
        with self.store.read() as work:
            waiting = sum(count for (_, status), count in work.outbox.counts().items() if status == "waiting")
        assert not waiting, f"{waiting} notices wait for good"
        for alert in self.alerts():
            self.check_why(alert)
            self.check_heard(alert)
            self.check_once(alert)
            self.check_wobble(alert)
        self.check_caps()
        self.check_posts()
        self.check_state_shown()

    def check_why(self, alert: Alert) -> None:
        """`why` has a line for everything, and none twice but for messages that are brought up to date together."""
        with self.store.read() as work:
            lines = story_lines(work, alert)
            happened, notices = work.alerts.story(alert.id), work.outbox.story(alert.id)
            acts = work.alerts.acts_about(alert)
        assert len(lines) == len(happened) + len(notices) + len(acts)
        said = Counter((line["at"], line["line"]) for line in lines if "notice of updated" not in line["line"])
        twice = [line for line, times in said.items() if times > 1]
        assert not twice, f"alert {alert.id}: {twice[0]}"
        assert all(row.reason for row in notices if row.status in ("withheld", "dead"))

    def check_heard(self, alert: Alert) -> None:
        """What counts as sent was taken; the end of an alert is told only where it was told itself."""
        for row in self.notices(alert):
            if row.status == "sent" and row.change != "updated":
                place = self.places[row.channel]
                arrived = any(message.outbox_id == row.carrier for message in place.heard)
                only_changes = row.payload["manner"] in ("in_place_only", "thread")
                assert arrived or only_changes, f"{row.change} of alert {alert.id} never came to {row.channel}"
        for place in self.places.values():
            about = [message for message in place.heard if alert.id in message.alerts and message.how != "line"]
            if about and about[0].words["form"] == "alone":
                first = about[0].words["told"][0]
                ended = first["change"] in ("resolved", "dismissed") and first["alerts"][0] == alert.id
                assert not ended, f"{place.name} heard first of alert {alert.id} that it is over"

    def check_once(self, alert: Alert) -> None:
        """Each level is told as news once on each channel."""
        loud = [row for row in self.notices(alert) if row.change in ("opened", "escalated") and row.channel]
        with self.store.read() as work:
            levels = {(row.at, row.change): row.level for row in work.alerts.story(alert.id)}
        times = Counter((row.channel, levels[row.created_at, row.change], self.returns(alert, row)) for row in loud)
        assert not times or max(times.values()) == 1, f"alert {alert.id}: {times.most_common(1)}"

    def returns(self, alert: Alert, row: Any) -> int:
        """How often the alert had ended and come back before this notice."""
        notices = self.notices(alert)
        return len({one.created_at for one in notices if one.change == "reopened" and one.seq < row.seq})

    def check_caps(self) -> None:
        """A key whose cap nobody touches is told of at each level once a cap day."""
        opened = Counter(
            (alert.fingerprint, row.channel, row.payload["alert"]["level"])
            for alert in self.alerts()
            if alert.finding.kind == "cap" and alert.fingerprint not in self.uneven | self.resolved_by_hand
            for row in self.notices(alert)
            if row.change in ("opened", "reopened", "escalated") and row.channel and row.status != "withheld"
        )
        assert not opened or max(opened.values()) == 1, opened.most_common(1)

    def check_wobble(self, alert: Alert) -> None:
        """Whatever comes and goes within four hours is told anew three times at most, on each channel."""
        if alert.finding.kind == "blind":
            return  # it ends with the first good poll, and each span without one is news
        rows = [row for row in self.notices(alert) if row.change in ("opened", "reopened") and row.status != "withheld"]
        for channel, mine in groupby(sorted(rows, key=lambda row: (row.channel, row.seq)), lambda row: row.channel):
            at = [row.created_at for row in mine]
            for first, fourth in zip(at, at[3:], strict=False):
                assert fourth - first > 4 * HOUR, f"alert {alert.id} came back too often on {channel}"

    def check_posts(self) -> None:
        """Nobody is told twice: never where a channel can be asked, else only after a doubt, under one identity and in
        the same words."""
        for place in self.places.values():
            posts = Counter(message.outbox_id for message in place.heard if message.how != "change")
            again = sum(posts.values()) - len(posts)
            allowed = 0 if isinstance(place, AskablePlace) else place.doubts
            assert again <= allowed, f"{place.name} heard {again} messages again"
            said: dict[str, Any] = {}
            for message in place.heard:
                words = {name: told for name, told in message.words.items() if name != "repeat"}
                assert said.setdefault(message.outbox_id, words) == words, f"{message.outbox_id} in other words"
        for message in self.places["ops"].heard:
            if message.how == "post" and NIGHT.cover(message.at):
                assert any(told["critical"] for told in message.words["told"]), (
                    f"a warning came in the night: {message}"
                )

    def check_state_shown(self) -> None:
        """The last message about an alert alone says what became of it."""
        ops = self.places["ops"]
        with self.store.read() as work:
            for alert in work.alerts.all():
                rows = [row for row in work.outbox.story(alert.id) if row.channel == "ops"]
                stands = [row.remote_id for row in rows if row.remote_id]
                if not stands or alert.held_by or any(row.status == "dead" for row in rows):
                    continue
                (shown,) = ops.stands[stands[-1]].words["told"]
                assert shown["status"] == alert.status, f"alert {alert.id} is {alert.status}, shown as {shown}"
                if alert.status is Status.OPEN:
                    assert shown["level"] == alert.level, f"alert {alert.id} is at {alert.level}, shown as {shown}"


def check_resolution(transition: Transition, listed: set[str], *, balance: bool) -> None:
    """Missing data resolves nothing."""
    finding = transition.alert.finding
    if transition.change.ends and finding.kind != "blind":
        seen = finding.key_id in listed if finding.key_id else balance
        assert seen, f"{finding.fingerprint} ended and nobody could see it"
