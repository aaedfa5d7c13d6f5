"""What is sent a second time is what was sent the first time, whatever happened in between."""

import re
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flowy_watch.channels import CHANNELS
from flowy_watch.core.alert import Change
from flowy_watch.jobs.send import Delivery
from flowy_watch.render import Reader, Renderer
from flowy_watch.simulator.people import MailSink
from flowy_watch.store import Store
from tests.builders import MINUTE
from tests.channels.receiver import Receiver

from .outbox_rig import SetClock, put
from .test_recipients import ANA, BEN, CAT, RENDERER, Killed, kill, mail

OTHER = Renderer(Reader("Another name", "https://elsewhere.example.com/keys", ZoneInfo("Europe/Madrid")))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.mark.parametrize("alerts", [1, 7])
@pytest.mark.parametrize("kind", ["webhook", "pagerduty"])
def test_a_program_is_sent_the_same_body_after_a_kill(
    store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, kind: str, alerts: int
) -> None:
    clock = SetClock()
    put(store, *(f"key {number}" for number in range(alerts)), channel="hook")
    with monkeypatch.context() as patched:
        patched.setattr(Delivery, "_done", kill)
        with pytest.raises(Killed):
            post(store, receiver, kind, RENDERER, clock)
    events = len(receiver.requests)
    clock.at += MINUTE
    post(store, receiver, kind, OTHER, clock)
    bodies = [taken.body for taken in receiver.requests]
    assert bodies[:events] == bodies[events:]
    assert len(bodies) == 2 * events > 0


def post(store: Store, receiver: Receiver, kind: str, renderer: Renderer, clock: SetClock) -> None:
    address: dict[str, Any] = {"url": f"{receiver.url}/hook"}
    if kind == "pagerduty":
        address = {"routing_key": "R0123", "api_url": receiver.url}
    channel = CHANNELS[kind]("hook", CHANNELS[kind].Config.model_validate(address))
    Delivery(store, channel, renderer, clock).send_due()
    channel.close()


def test_who_was_put_off_gets_the_mail_that_others_had_though_they_were_told_more_since(
    store: Store, sink: MailSink
) -> None:
    clock = SetClock()
    put(store, "a", channel="mail")
    sink.refuse(CAT, "451 4.7.1 greylisted")
    mail(store, sink, clock)
    put(store, "worse", alert_id=1, channel="mail", change=Change.ESCALATED, at=clock.at + MINUTE)
    clock.at += MINUTE
    mail(store, sink, clock)
    sink.refuse(CAT, "")
    clock.at += 5 * MINUTE
    mail(store, sink, clock)
    opened, worse = (b"".join(re.findall(rb"(?m)^Message-ID:.*\r?\n", m.raw)) for m in (sink.mails[0], sink.mails[2]))
    for message_id in (opened, worse):
        copies = [m for m in sink.mails if message_id in m.raw]
        assert sorted(copy.recipient for copy in copies) == [ANA, BEN, CAT]
        assert len({re.sub(rb"(?m)^To:.*\r?\n", b"", copy.raw) for copy in copies}) == 1


@pytest.fixture
def sink() -> Iterator[MailSink]:
    with MailSink() as sink:
        yield sink
