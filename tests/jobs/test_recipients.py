"""A mail to several people: each alone, over every process that tries, and nobody holds up the others."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import pytest

from flowy_watch.channels.email import EmailChannel, EmailConfig
from flowy_watch.core.alert import Change
from flowy_watch.jobs.send import Delivery
from flowy_watch.render import Reader, Renderer
from flowy_watch.simulator.people import MailSink
from flowy_watch.store import Store
from tests.builders import DAY, MINUTE, NOON

from .outbox_rig import FakeChannel, SetClock, end, outcomes, put
from .test_undelivered import TitleRenderer

ANA, BEN, CAT = "ana@example.com", "ben@example.com", "cat@example.com"
RENDERER = Renderer(Reader("Acme", "https://app.example.com/keys", ZoneInfo("UTC")))


@pytest.fixture
def sink() -> Iterator[MailSink]:
    with MailSink() as sink:
        yield sink


class Killed(BaseException):
    """No process goes on after it."""


def mail(store: Store, sink: MailSink, clock: SetClock, *, to: Sequence[str] = (ANA, BEN, CAT)) -> None:
    """What a process that begins now sends."""
    Delivery(store, channel_of(sink, to), RENDERER, clock, others=("ops", "mail")).send_due()


def channel_of(sink: MailSink, to: Sequence[str]) -> EmailChannel:
    options = {"host": sink.host, "port": sink.port, "security": "none", "timeout": timedelta(seconds=2)}
    return EmailChannel("mail", EmailConfig.model_validate(options | {"from": "watch@example.com", "to": to}))


def tell(store: Store, clock: SetClock) -> list[str]:
    """What the other channel hears."""
    ops = FakeChannel()
    Delivery(store, ops, TitleRenderer(), clock).send_due()
    return ops.words()


def got(sink: MailSink) -> list[str]:
    return [mail.recipient for mail in sink.mails]


def ids(sink: MailSink) -> list[str]:
    return [message_from_bytes(mail.raw, policy=policy.default)["Message-ID"] for mail in sink.mails]


def test_only_who_was_put_off_is_tried_again_also_by_another_process(store: Store, sink: MailSink) -> None:
    clock = SetClock()
    put(store, "a", channel="mail")
    sink.refuse(CAT, "451 4.7.1 greylisted")
    for _ in range(3):
        mail(store, sink, clock)
        clock.at += MINUTE
    sink.refuse(CAT, "")
    mail(store, sink, clock)
    assert got(sink) == [ANA, BEN, CAT]
    assert sink.attempts == (ANA, BEN, CAT, CAT, CAT, CAT)
    assert len(set(ids(sink))) == 1
    assert [status for status, _, _ in outcomes(store, "mail")] == ["sent"]


@pytest.mark.parametrize("alerts", [1, 7])
def test_a_copy_after_a_kill_says_the_same_whatever_changed_before_the_restart(
    store: Store, sink: MailSink, monkeypatch: pytest.MonkeyPatch, alerts: int
) -> None:
    clock, names = SetClock(), [f"key {number}" for number in range(alerts)]
    put(store, *names, channel="mail")
    with monkeypatch.context() as patched:
        patched.setattr(Delivery, "_done", kill)  # ana has it, and nothing of that is recorded
        with pytest.raises(Killed):
            mail(store, sink, clock, to=[ANA])
    put(store, "worse", alert_id=1, channel="mail", change=Change.ESCALATED, at=clock.at + MINUTE)
    clock.at += MINUTE
    other = Renderer(Reader("Another name", "https://elsewhere.example.com/keys", ZoneInfo("Europe/Madrid")))
    Delivery(store, channel_of(sink, [ANA]), other, clock).send_due()
    first, copy, after = (message_from_bytes(mail.raw, policy=policy.default) for mail in sink.mails)
    assert words(first) == words(copy) != words(after)
    assert sink.mails[0].raw == sink.mails[1].raw
    assert first["Date"].datetime == NOON  # when it was written down
    assert first["Message-ID"] == copy["Message-ID"] != after["Message-ID"]


def kill(*_: object) -> None:
    raise Killed


def words(mail: EmailMessage) -> list[str]:
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text
    assert html
    return [mail["Subject"], text.get_content(), html.get_content()]


def test_who_is_put_off_holds_up_no_later_mail_and_hears_of_the_end(store: Store, sink: MailSink) -> None:
    clock = SetClock()
    put(store, "a", channel="mail")
    sink.refuse(CAT, "452 4.2.2 mailbox full")
    mail(store, sink, clock)
    put(store, "b", channel="mail", at=clock.at)
    end(store, 1, at=clock.at)
    put(store, "over", alert_id=1, channel="mail", change=Change.RESOLVED, at=clock.at)
    mail(store, sink, clock)
    assert got(sink) == [ANA, BEN] * 3
    sink.refuse(CAT, "")
    clock.at += 5 * MINUTE
    mail(store, sink, clock)
    assert got(sink) == [ANA, BEN] * 3 + [CAT] * 3
    assert len(set(ids(sink))) == 3


def test_who_is_refused_for_good_is_left_out_shown_and_told_elsewhere_once(store: Store, sink: MailSink) -> None:
    clock = SetClock()
    sink.refuse(BEN, "550 5.1.1 no such mailbox")
    for owner in ("a", "b"):
        put(store, owner, channel="mail", at=clock.at)
        mail(store, sink, clock)
        clock.at += MINUTE
    assert got(sink) == [ANA, CAT] * 2
    assert sink.attempts == (ANA, BEN, CAT) * 2
    with store.read() as work:
        letters = [(row.channel, row.reason) for row in work.outbox.dead_letters()]
    assert letters == [("mail", "refused for good: ben@example.com (550 5.1.1 no such mailbox)")] * 2
    assert tell(store, clock) == ["mail does not reach ben@example.com; its other recipients get everything"]


def test_who_is_put_off_for_more_than_a_day_is_given_up_alone(store: Store, sink: MailSink) -> None:
    clock = SetClock()
    put(store, "a", channel="mail")
    sink.refuse(CAT, "452 4.2.2 mailbox full")
    for _ in range(14):
        mail(store, sink, clock)
        clock.at += DAY / 12
    ((status, tries, reason),) = outcomes(store, "mail")
    assert (status, tries) == ("sent", 14)
    assert "given up after 14 tries" in reason
    assert got(sink) == [ANA, BEN]
    assert tell(store, clock) == ["mail does not reach some of its recipients; its other recipients get everything"]
