"""An outbox in a real database, and channels and a renderer that say what the test says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flowy_watch.channels.base import Envelope, Receipt
from flowy_watch.core.alert import Alert, Change, Status, Transition
from flowy_watch.core.bundle import Form
from flowy_watch.core.check import Check
from flowy_watch.core.message import Dialect, Message, PlainMessage
from flowy_watch.core.notification import Notification
from flowy_watch.core.route import Traits
from flowy_watch.jobs.deliver import Delivery
from flowy_watch.store import Store
from tests.builders import NOON, opened


class SetClock:
    """Stands still until it is moved."""

    speed = 1.0

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at


class FakeChannel:
    """Answers each send with the next of its `answers`, and with a receipt when there are none left."""

    dialect = Dialect.PLAIN
    traits = Traits()

    def __init__(self, *answers: Receipt | Exception, name: str = "ops") -> None:
        self.name, self.answers = name, list(answers)
        self.sent: list[tuple[str, Envelope]] = []

    def send(self, message: Message, envelope: Envelope) -> Receipt:
        assert isinstance(message, PlainMessage)
        self.sent.append((message.text, envelope))
        answer = self.answers.pop(0) if self.answers else Receipt(f"remote-{len(self.sent)}")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def words(self) -> list[str]:
        return [text for text, _ in self.sent]

    def check(self) -> Iterable[Check]:
        return ()

    def close(self) -> None:
        """Nothing is open."""


class AskableChannel(FakeChannel):
    """Can be asked what arrived: `found`, or the error that asking raises. Its messages can be changed."""

    traits = Traits(changes=True)

    found: Receipt | Exception | None = None
    asked = 0

    def find(self, envelope: Envelope, *, since: datetime) -> Receipt | None:
        self.asked += 1
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@dataclass(frozen=True)
class Dealt:
    headline: str
    places: tuple[int, ...]


class OwnerRenderer:
    """Renders the owner, and falls over a notification whose owner is `broken`. Two to a page."""

    def render(self, notification: Notification, dialect: Dialect) -> Message:
        if notification.owner == "broken":
            raise ZeroDivisionError
        return PlainMessage(notification.owner)

    def pages(self, notifications: Sequence[Notification], dialect: Dialect, form: Form) -> list[Dealt]:
        places = range(len(notifications))
        return [Dealt(f"{form.value} {start // 2 + 1}", tuple(places[start : start + 2])) for start in places[::2]]

    def render_page(
        self, notifications: Sequence[Notification], dialect: Dialect, *, headline: str, form: Form
    ) -> Message:
        owners = (f"{each.owner} {each.change.value}" for each in notifications)
        return PlainMessage(f"{headline}: {', '.join(owners)}")

    def as_repeat(self, message: Message) -> Message:
        return message


def put(
    store: Store,
    *owners: str,
    channel: str = "ops",
    alert_id: int = 0,
    change: Change = Change.OPENED,
    at: datetime = NOON,
    **more: Any,
) -> None:
    """One waiting notification per owner, which is also its words; each about an alert of its own, or all about one."""
    with store.write() as work:
        for owner in owners:
            known = work.alerts.get(alert_id) if alert_id else None
            told = known or work.alerts.record([opened(id=0, period=f"{alert_id or owner} {channel}")])[0].alert
            work.outbox.add([Notification(channel, change, told, at, owner, **more)])


def end(store: Store, alert_id: int, *, at: datetime = NOON) -> Alert:
    """The alert is over, and nobody is told."""
    with store.write() as work:
        known = work.alerts.get(alert_id)
        assert known is not None
        over = replace(known, status=Status.RESOLVED, resolved_at=at)
        work.alerts.record([Transition(over, Change.RESOLVED, at)])
    return over


def deliver(store: Store, channel: FakeChannel, clock: SetClock | None = None, *, others: Sequence[str] = ()) -> int:
    return Delivery(store, channel, OwnerRenderer(), clock or SetClock(), others=others).send_due()


def outcomes(store: Store, channel: str = "ops") -> list[tuple[str, int, str]]:
    """Status, tries and reason of every notice about an alert, oldest first."""
    with store.read() as work:
        rows = [row for known in work.alerts.all() for row in work.outbox.story(known.id)]
    rows = [row for row in rows if row.channel == channel]
    return [(row.status, row.tries, row.reason) for row in sorted(rows, key=lambda row: row.seq)]
