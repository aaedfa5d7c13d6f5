"""Buttons in Slack, over a real WebSocket on loopback: heard at once, acted upon once, only for those who may."""

import logging
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from subprocess import DEVNULL, PIPE, Popen
from threading import Event
from time import monotonic
from typing import Any

import pytest
from pydantic import ValidationError
from slack_sdk import WebClient
from structlog.testing import capture_logs

from flowy_watch.channels import slack_buttons
from flowy_watch.channels.slack import SlackChannel, SlackConfig
from flowy_watch.channels.slack_buttons import SlackButtons
from flowy_watch.core.press import Press, Until, Verb, action_id, read_action
from flowy_watch.errors import NotFound
from flowy_watch.simulator.people import FakeSlack

ACK_12 = action_id(Verb.ACKNOWLEDGE, 12)


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as slack:
        yield slack


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack_buttons, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(slack_buttons, "_AFTER_REFUSAL", 0.05)


class Hand:
    """Does nothing but remember what was wanted."""

    def __init__(self) -> None:
        self.wanted: list[Press] = []
        self.says: str | Exception = ""

    def __call__(self, press: Press) -> str:
        self.wanted.append(press)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


def options(slack: FakeSlack, **more: Any) -> dict[str, Any]:
    given = {"token": slack.token, "channel": "C0SIM", "api_url": slack.url, "timeout": timedelta(seconds=5)}
    return given | {"app_token": slack.app_token, "allowed_users": ["U0ANA", "W0BEN"]} | more


def channel_of(slack: FakeSlack, **more: Any) -> SlackChannel:
    return SlackChannel("ops", SlackConfig.model_validate(options(slack, **more)))


@contextmanager
def listening(slack: FakeSlack, hand: Callable[[Press], str]) -> Iterator[SlackButtons]:
    listener = channel_of(slack).listener(hand)
    assert listener is not None
    listener.start()
    try:
        assert slack.socket.wait_for_connections(1)
        yield listener
    finally:
        listener.stop(within=timedelta(seconds=5))


def until(true: Callable[[], Any], what: str) -> Any:
    end = monotonic() + 10
    while not (found := true()):
        assert monotonic() < end, what
        Event().wait(0.005)
    return found


def test_a_press_is_taken_at_once_and_acted_upon(slack: FakeSlack) -> None:
    hand = Hand()
    with listening(slack, hand):
        envelope = slack.press(ACK_12)
        taken = slack.socket.wait_for_acknowledgement(envelope)
        until(lambda: hand.wanted, "the press")

    assert taken is not None
    assert taken.after < 3
    assert hand.wanted == [Press(Verb.ACKNOWLEDGE, 12, "slack:ana (U0ANA)")]
    assert slack.privately == ()


def test_a_press_is_taken_while_an_earlier_one_is_still_being_done(slack: FakeSlack) -> None:
    may_go_on = Event()
    with listening(slack, lambda _: str(may_go_on.wait(10))[:0]):
        envelopes = [slack.press(action_id(Verb.SILENCE, n)) for n in range(1, 6)]
        taken = [slack.socket.wait_for_acknowledgement(envelope) for envelope in envelopes]
        may_go_on.set()

    assert all(one is not None and one.after < 3 for one in taken)


@pytest.mark.parametrize("until_when", Until)
def test_the_chosen_end_comes_with_the_press(slack: FakeSlack, until_when: Until) -> None:
    hand = Hand()
    with listening(slack, hand):
        slack.press(action_id(Verb.EXPECT, 7), user="W0BEN", name="ben", option=until_when.value)
        until(lambda: hand.wanted, "the press")

    assert hand.wanted == [Press(Verb.EXPECT, 7, "slack:ben (W0BEN)", until_when)]


@pytest.mark.parametrize("by_response_url", [True, False])
def test_who_may_not_press_is_told_so_in_private_and_nothing_is_done(
    slack: FakeSlack, by_response_url: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not by_response_url:
        monkeypatch.setattr(SlackButtons, "_is_slacks", lambda *_: False)
    hand = Hand()
    with listening(slack, hand):
        slack.press(ACK_12, user="U0EVE", name="eve")
        (refusal,) = until(lambda: slack.privately, "the refusal")

    assert (refusal.user, hand.wanted, slack.posts) == ("U0EVE", [], ())
    assert "may not" in refusal.text
    assert ("chat.postEphemeral" in slack.requests) is not by_response_url


def test_what_could_not_be_done_is_told_in_private(slack: FakeSlack) -> None:
    hand = Hand()
    with listening(slack, hand):
        hand.says = NotFound("alert 12 is already resolved & <gone>")
        slack.press(ACK_12)
        until(lambda: slack.privately, "the words")
        hand.says = ZeroDivisionError("xapp-secret")
        slack.press(ACK_12)
        until(lambda: len(slack.privately) == 2, "the words")

    assert [private.text for private in slack.privately] == [
        "Not done: alert 12 is already resolved &amp; &lt;gone&gt;",
        "Not done: internal error (ZeroDivisionError); the log says more.",
    ]


def test_a_press_that_comes_again_is_acted_upon_once(slack: FakeSlack) -> None:
    hand = Hand()
    with listening(slack, hand):
        slack.press(ACK_12, action_ts="1.1", envelope_id="e-1")
        slack.press(ACK_12, action_ts="1.1", envelope_id="e-1")
        slack.press(ACK_12, action_ts="1.1", envelope_id="e-2")
        slack.press(ACK_12, action_ts="2.2", envelope_id="e-3")
        until(lambda: len(hand.wanted) == 2, "the second press")
        assert slack.socket.wait_for_acknowledgement("e-3")

    assert len(hand.wanted) == 2
    assert len(slack.socket.acknowledged) == 4


def test_presses_that_are_none_of_ours_are_taken_and_left(slack: FakeSlack) -> None:
    hand = Hand()
    odd: list[Any] = [
        {"actions": [{"action_id": "somebody-elses"}]},
        {"actions": [{"action_id": action_id(Verb.OPEN, 12)}]},
        {"actions": [{"action_id": "flowy-watch/ack/12345678901234567890"}]},
        {"actions": [{"action_id": "flowy-watch/drop/1"}]},
        {"actions": [None, 7, "x", []]},
        {"actions": {"action_id": ACK_12}},
        {"user": "U0ANA", "actions": [{"action_id": ACK_12}]},
        {"user": {"id": ["U0ANA"]}, "actions": [{"action_id": ACK_12}]},
        {},
    ]
    with listening(slack, hand):
        envelopes = [slack.socket.send(payload) for payload in odd]
        slack.press(action_id(Verb.ACKNOWLEDGE, 13))
        until(lambda: hand.wanted, "the press that is ours")

    assert [press.alert_id for press in hand.wanted] == [13]
    assert {one.envelope_id for one in slack.socket.acknowledged} >= set(envelopes)


@pytest.mark.parametrize("words", ["", "[]", "null", "{", '{"type": 7}', '{"envelope_id": 1}', "[" * 5000, "\x00"])
def test_words_that_make_no_sense_change_nothing(slack: FakeSlack, words: str) -> None:
    hand = Hand()
    with listening(slack, hand):
        slack.socket.say(words)
        slack.press(ACK_12)
        until(lambda: hand.wanted, "the press")

    assert slack.socket.opened == 1


def test_a_message_of_a_megabyte_is_read(slack: FakeSlack) -> None:
    hand = Hand()
    with listening(slack, hand):
        slack.press(ACK_12, name="a" * 1_000_000)
        (press,) = until(lambda: hand.wanted, "the press")

    assert press.by == f"slack:{'a' * 60} (U0ANA)"


@pytest.mark.parametrize("end", ["cut", "refresh"])
def test_after_the_connection_ends_another_one_is_made(slack: FakeSlack, end: str) -> None:
    hand = Hand()
    with listening(slack, hand) as listener:
        for number in (2, 3):
            getattr(slack.socket, end)()
            assert slack.socket.wait_for_connections(number)
        slack.press(ACK_12)
        until(lambda: hand.wanted, "the press")
        assert until(lambda: not listener.trouble, "no trouble any more")


def test_a_connection_that_slack_refuses_is_tried_again_and_says_what_to_do(slack: FakeSlack) -> None:
    hand = Hand()
    slack.refuse("missing_scope", on="apps.connections.open")
    with capture_logs() as logs, listening(slack, hand) as listener:
        until(lambda: not listener.trouble, "no trouble any more")

    assert "connections:write" in logs[0]["reason"]


@pytest.mark.parametrize(
    ("script", "word"),
    [
        (lambda slack: slack.fail(503), "wait"),
        (lambda slack: slack.garble("[]"), "no sense"),
        (lambda slack: slack.garble('{"ok": true, "url": "ws://evil.example/link"}'), "not encrypted"),
        (lambda slack: slack.garble('{"ok": true, "url": "wss://[::1"}'), "not encrypted"),
        (lambda slack: slack.garble('{"ok": true, "url": "ws://127.0.0.1:9/"}'), "ended"),
        (lambda slack: slack.garble(f'{{"ok": true, "url": "ws://127.0.0.1:{slack.port}/link/?ticket=0"}}'), "ended"),
        (lambda slack: slack.drop(), "reached"),
    ],
)
def test_whatever_goes_wrong_with_the_connection_it_is_tried_again(
    slack: FakeSlack, script: Callable[[FakeSlack], None], word: str
) -> None:
    script(slack)
    with capture_logs() as logs, listening(slack, Hand()) as listener:
        until(lambda: not listener.trouble, "no trouble any more")

    assert word in logs[0]["reason"]
    assert [line["event"] for line in logs] == ["buttons.lost", "buttons.connected"]


def test_slacks_wish_to_wait_is_obeyed(slack: FakeSlack) -> None:
    slack.limit(1, on="apps.connections.open")
    began = monotonic()
    with listening(slack, Hand()):
        assert monotonic() - began >= 1


def test_socket_mode_switched_off_is_said(slack: FakeSlack) -> None:
    with capture_logs() as logs, listening(slack, Hand()):
        slack.socket.refresh("link_disabled")
        assert slack.socket.wait_for_connections(2)

    assert "switch on Socket Mode" in next(line["reason"] for line in logs if line["event"] == "buttons.lost")


def test_a_connection_without_a_sign_of_life_is_given_up(slack: FakeSlack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        slack.garble(f'{{"ok": true, "url": "ws://127.0.0.1:{mute.getsockname()[1]}/"}}')
        listener = SlackButtons(
            "ops",
            WebClient(token=slack.token, base_url=slack.url),
            app_token=slack.app_token,
            allowed_users=["U0ANA"],
            timeout=timedelta(seconds=0.1),
            act=Hand(),
            beat=0.05,
        )
        listener.start()
        assert slack.socket.wait_for_connections(1)
        listener.stop(within=timedelta(seconds=5))


def test_stopping_does_not_wait_for_slack(slack: FakeSlack) -> None:
    began = monotonic()
    with listening(slack, Hand()):
        pass
    assert monotonic() - began < 3


def test_no_secret_reaches_the_log(slack: FakeSlack, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with listening(slack, Hand()):
        slack.press(ACK_12, user="U0EVE")
        until(lambda: slack.privately, "the refusal")
        slack.socket.cut()
        assert slack.socket.wait_for_connections(2)

    assert not any(word in caplog.text for word in (slack.token, slack.app_token, "/actions/", "ticket"))


def test_check_says_whether_presses_can_be_heard(slack: FakeSlack) -> None:
    assert [(line.ok, line.detail) for line in channel_of(slack).check()][2:] == [
        (True, "buttons: Slack lets the app listen; 2 may press")
    ]
    wrong = list(channel_of(slack, app_token="xapp-other", allowed_users=["U0ANA"]).check())
    assert not wrong[2].ok
    assert "channels.ops.app_token" in wrong[2].detail


def test_without_an_app_token_nobody_listens(slack: FakeSlack) -> None:
    assert channel_of(slack, app_token=None, allowed_users=[]).listener(Hand()) is None


@pytest.mark.parametrize(
    "wrong",
    [{"allowed_users": []}, {"app_token": None}, {"allowed_users": ["ana"]}, {"allowed_users": ["U0ANA", ""]}],
)
def test_buttons_without_people_and_people_without_buttons_are_refused(slack: FakeSlack, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        SlackConfig.model_validate(options(slack, **wrong))
    assert slack.app_token not in str(caught.value)


def test_an_action_is_read_as_it_was_written() -> None:
    assert [read_action(action_id(verb, 12)) for verb in Verb] == [(verb, 12) for verb in Verb]
    assert read_action("flowy-watch/ack/") is read_action("ack/12") is read_action("") is None


# In a process of its own: once closed, that client leaves an open socket, and threads that draw from `random` for ever,
# which hypothesis takes for a fault of whatever it tests next.
SLACKS_OWN_CLIENT = """
import sys, threading
from slack_sdk import WebClient
from slack_sdk.socket_mode.builtin import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse

def hear(client, request):
    print(request.payload["actions"][0]["action_id"], request.payload["user"]["id"], flush=True)
    client.send_socket_mode_response(SocketModeResponse(request.envelope_id))

client = SocketModeClient(sys.argv[1], web_client=WebClient(base_url=sys.argv[2]))
client.socket_mode_request_listeners.append(hear)
client.connect()
threading.Event().wait()
"""


def test_the_fake_speaks_socket_mode_as_slacks_own_client_does(slack: FakeSlack) -> None:
    """The fake was written together with what it tests; slack_sdk was not."""
    with Popen(
        [sys.executable, "-c", SLACKS_OWN_CLIENT, slack.app_token, slack.url], stdout=PIPE, stderr=DEVNULL, text=True
    ) as client:
        try:
            assert slack.socket.wait_for_connections(1)
            envelope = slack.press(ACK_12, name="a" * 70_000)
            assert slack.socket.wait_for_acknowledgement(envelope)
            slack.socket.refresh()
            assert slack.socket.wait_for_connections(2)
        finally:
            client.kill()
        assert client.stdout is not None
        assert client.stdout.read().split() == [ACK_12, "U0ANA"]
