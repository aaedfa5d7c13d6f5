"""The webhook: the shape other people's programs rely on, and whom it trusts."""

import hashlib
import hmac
import json
import traceback
from collections.abc import Iterator
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
from pydantic import ValidationError

from flowy_watch.channels.webhook import WebhookChannel, WebhookConfig
from flowy_watch.core.alert import Change, Status
from flowy_watch.core.finding import Severity
from flowy_watch.core.message import FactsMessage
from flowy_watch.errors import ChannelError, Doubtful, Refused, TryLater
from tests.builders import HOUR, NOON

from .conftest import Open
from .receiver import Receiver
from .rigs import envelope, facts, notification

SECRET = "signing-secret-ä"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def channel(receiver: Receiver, open_as: Open) -> Any:
    return open_as("webhook", {"url": f"{receiver.url}/hook"})


def test_the_body_has_the_documented_shape(receiver: Receiver, channel: WebhookChannel) -> None:
    acknowledged = {"acknowledged_by": "ana", "acknowledged_until": NOON + HOUR, "status": Status.ACKNOWLEDGED}
    told = notification(
        Change.ESCALATED,
        severity=Severity.WARNING,
        last_four="4f2a",
        evidence=("96 % of the cap is spent.",),
        facts={"before": "1"},
        **acknowledged,
    )
    channel.send(facts(told), envelope("n-7"))

    (body,) = receiver.posts()
    assert body == {
        "version": 1,
        "id": "n-7",
        "title": "CRITICAL render is at 96 % of its daily cap",
        "text": "CRITICAL render is at 96 % of its daily cap\n\nWhat to do.\n\nAlert 12",
        "alerts": [
            {
                "alert_id": 12,
                "change": "escalated",
                "kind": "cap",
                "severity": "warning",
                "status": "acknowledged",
                "level": 95,
                "key_id": "key_1",
                "key_name": "render",
                "key_last_four": "4f2a",
                "owner": "media-team",
                "title": "render is at 96 % of its daily cap",
                "evidence": ["96 % of the cap is spent."],
                "also": [],
                "note": None,
                "facts": {"before": "1"},
                "stakes": {
                    "spent_today": 4800,
                    "per_hour": 1200.5,
                    "daily_cap": 5000,
                    "balance": None,
                    "at_risk_today": 200,
                    "at_risk_next_day": 5000,
                    "cap_hit_at": "2026-03-02T12:10:00Z",
                    "resets_at": "2026-03-03T00:00:00Z",
                },
                "told_at": "2026-03-02T12:00:00Z",
                "opened_at": "2026-03-02T12:00:00Z",
                "last_seen_at": "2026-03-02T12:00:00Z",
                "resolved_at": None,
                "acknowledged_by": "ana",
                "acknowledged_until": "2026-03-02T13:00:00Z",
            }
        ],
    }
    assert isinstance(body["alerts"][0]["stakes"]["spent_today"], int)
    described = WebhookChannel.__doc__ or ""
    undocumented = {*body, *body["alerts"][0], *body["alerts"][0]["stakes"]} - {
        word for word in described.replace('"', " ").split() if word.isidentifier()
    }
    assert undocumented == set()


def test_what_is_about_no_key_has_nulls_in_its_place(receiver: Receiver, channel: WebhookChannel) -> None:
    told = notification(kind="balance", key_id=None, key_name="", owner="", stakes=None)
    channel.send(facts(told), envelope())

    (alert,) = receiver.posts()[0]["alerts"]
    empty = ("key_id", "key_name", "key_last_four", "owner", "stakes")
    assert [alert[name] for name in empty] == [None] * len(empty)


def test_many_alerts_are_one_post_and_a_test_has_none(receiver: Receiver, channel: WebhookChannel) -> None:
    channel.send(facts(*(notification(id=number) for number in range(1, 501))), envelope("many"))
    channel.send(FactsMessage("Test", "Test\n\nhello"), envelope("test"))

    many, test = receiver.posts()
    assert [alert["alert_id"] for alert in many["alerts"]] == list(range(1, 501))
    assert (test["alerts"], test["title"]) == ([], "Test")


def test_every_try_is_the_same_and_says_so(receiver: Receiver, channel: WebhookChannel) -> None:
    receiver.then(how="drop")
    with pytest.raises(Doubtful):
        channel.send(facts(), envelope("n-9"))
    channel.send(facts(), envelope("n-9"))

    first, second = receiver.requests
    assert first.body == second.body
    assert [taken.headers["idempotency-key"] for taken in (first, second)] == ["n-9", "n-9"]


def test_the_signature_covers_the_time_and_the_body(receiver: Receiver, open_as: Open) -> None:
    open_as("webhook", {"url": receiver.url, "secret": SECRET}).send(facts(), envelope())

    (taken,) = receiver.requests
    timestamp = taken.headers["flowy-watch-timestamp"]
    signed = hmac.new(SECRET.encode(), timestamp.encode() + b"." + taken.body, hashlib.sha256).hexdigest()
    assert taken.headers["flowy-watch-signature"] == f"v1={signed}"
    assert len(timestamp) == 10


def test_without_secrets_nothing_is_signed_and_nobody_logs_in(receiver: Receiver, channel: WebhookChannel) -> None:
    channel.send(facts(), envelope())

    names = set(receiver.requests[0].headers)
    assert not names & {"authorization", "flowy-watch-timestamp", "flowy-watch-signature"}
    assert receiver.requests[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_answer_of_success_is_a_delivery(receiver: Receiver, channel: WebhookChannel, status: int) -> None:
    receiver.then(status)
    channel.send(facts(), envelope())
    assert len(receiver.accepted) == 1


def test_the_body_of_the_answer_is_not_read(receiver: Receiver, channel: WebhookChannel) -> None:
    receiver.then(200, Content_Length="1000000000")
    channel.send(facts(), envelope())


@pytest.mark.parametrize("status", [409, 429, 503])
def test_retry_after_is_passed_on_to_the_second(receiver: Receiver, channel: WebhookChannel, status: int) -> None:
    receiver.then(status, Retry_After="30")
    with pytest.raises(TryLater) as caught:
        channel.send(facts(), envelope())
    assert caught.value.retry_after == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (400, Refused, r"HTTP 400.*channels\.ops\.url"),
        (401, Refused, r"channels\.ops\.token"),
        (403, Refused, r"channels\.ops\.secret"),
        (404, Refused, r"channels\.ops\.url"),
        (429, TryLater, "HTTP 429"),
        (500, TryLater, "HTTP 500"),
        (502, TryLater, "HTTP 502"),
        (504, Doubtful, "may have"),
    ],
)
def test_an_answer_of_failure_says_what_to_do(
    receiver: Receiver, channel: WebhookChannel, status: int, error: type[ChannelError], says: str
) -> None:
    receiver.then(status)
    with pytest.raises(error, match=says):
        channel.send(facts(), envelope())


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, channel: WebhookChannel, status: int) -> None:
    receiver.then(status, Location=f"{receiver.url}/elsewhere")
    with pytest.raises(Refused, match=r"redirects.*channels\.ops\.url"):
        channel.send(facts(), envelope())
    assert [taken.path for taken in receiver.requests] == ["/hook"]


def test_an_answer_that_trickles_in_is_given_up_after_the_timeout(receiver: Receiver, open_as: Open) -> None:
    receiver.then(how="trickle")
    began = monotonic()
    with pytest.raises(Doubtful):
        open_as("webhook", {"url": receiver.url}, patience=0.3).send(facts(), envelope())
    assert 0.2 < monotonic() - began < 3


def test_hostile_names_make_harmless_json(receiver: Receiver, channel: WebhookChannel) -> None:
    name = 'a"},\x00\n\ud800\u202e{"evil":1, flw_sk_abcdefghijklmnop'
    told = notification(
        key_name=name, title=f"{name} burns", evidence=(name,), facts={"before": name}, owner=name, also=(name,)
    )
    channel.send(facts(told, title="harmless"), envelope())

    (taken,) = receiver.requests
    (alert,) = taken.json["alerts"]
    assert alert["key_name"].startswith('a"}, {"evil":1')
    assert "flw_sk_abc" not in taken.body.decode()
    assert not any(c in json.dumps(taken.json, ensure_ascii=False) for c in "\x00\ud800\u202e")


@pytest.mark.parametrize(
    "url", ["", "example.com/hook", "ftp://h/x", "https://", "https://h:port/x", "https://h/\x00", "https://[::1/"]
)
def test_half_an_address_is_refused_by_the_configuration(url: str) -> None:
    with pytest.raises(ValidationError, match="whole address"):
        WebhookConfig.model_validate({"url": url})


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "schlüssel"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ValidationError, match="plain ASCII") as caught:
        WebhookConfig.model_validate({"url": "https://example.com", "token": token})
    assert token not in "".join(traceback.format_exception(caught.value))


def test_two_logins_are_one_too_many() -> None:
    with pytest.raises(ValidationError, match="only one of them"):
        WebhookConfig.model_validate({"url": "https://user:word@example.com", "token": "t"})
