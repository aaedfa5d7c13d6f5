"""Everything else by apprise: what it is told, and what is made of its answers."""

import logging
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from time import monotonic
from typing import Any

import pytest

from flowy_watch.channels.apprise import AppriseChannel, AppriseConfig
from flowy_watch.core.alert import Change
from flowy_watch.core.finding import Severity
from flowy_watch.core.message import FactsMessage
from flowy_watch.errors import ChannelError, Doubtful, Refused, SettingsError, TryLater

from .conftest import Open
from .receiver import Receiver
from .rigs import AppriseRig, envelope, facts, notification

# apprise loads all that it knows at once, and one of its modules asks Python 3.11 for what 3.13 no longer has.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture
def rig() -> Iterator[AppriseRig]:
    with AppriseRig() as rig:
        yield rig


@pytest.fixture
def service(rig: AppriseRig) -> Receiver:
    return rig.receiver


@pytest.fixture
def channel(rig: AppriseRig, open_as: Open) -> Any:
    return open_as("apprise", rig.options)


def test_the_first_line_is_the_title_and_stands_there_only(service: Receiver, channel: AppriseChannel) -> None:
    channel.send(facts(), envelope())

    (said,) = service.posts()
    assert said["title"] == "CRITICAL render is at 96 % of its daily cap"
    assert said["message"] == "What to do.\n\nAlert 12"


def test_words_that_do_not_begin_with_the_title_are_all_kept(service: Receiver, channel: AppriseChannel) -> None:
    channel.send(FactsMessage("Title", "Something else\n\nand more"), envelope())
    assert service.posts()[0]["message"] == "Something else\n\nand more"


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (facts(notification(severity=Severity.CRITICAL)), "failure"),
        (facts(notification(severity=Severity.WARNING)), "warning"),
        (facts(notification(severity=Severity.INFO)), "info"),
        (facts(notification(severity=Severity.INFO), notification(severity=Severity.CRITICAL)), "failure"),
        (facts(notification(Change.RESOLVED)), "success"),
        (facts(notification(Change.RESOLVED), notification(severity=Severity.WARNING)), "failure"),
        (FactsMessage("Test", "Test\n\nhello"), "info"),
    ],
)
def test_services_with_colours_are_told_how_bad_it_is(
    service: Receiver, channel: AppriseChannel, message: FactsMessage, kind: str
) -> None:
    channel.send(message, envelope())
    assert service.posts()[0]["type"] == kind


def test_no_name_pings_anybody_or_hides_a_link(service: Receiver, channel: AppriseChannel) -> None:
    hostile = "@everyone @here <!channel> <@U1> <@&2> [bank](https://evil.example) <a href=x>"
    channel.send(FactsMessage(hostile, f"{hostile}\n\n{hostile}"), envelope())

    (said,) = service.posts()
    assert [c for c in "@<>[]" if c in said["title"] + said["message"]] == []
    assert "＠everyone" in said["message"]


def test_a_long_message_is_split_and_a_longer_one_cut(service: Receiver, channel: AppriseChannel) -> None:
    channel.send(replace(facts(), text="word " * 10_000), envelope("long"))
    parts = [said["message"] for said in service.posts()]
    assert "".join("".join(parts).split()) == "word" * 10_000
    assert 1 < len(parts) <= 4

    service.accepted.clear()
    channel.send(replace(facts(), text="word " * 100_000), envelope("longer"))
    parts = [said["message"] for said in service.posts()]
    assert 2 < len(parts) <= 5
    assert parts[-1].endswith("…")


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (301, Refused, r"HTTP 301"),
        (400, Refused, r"channels\.ops\.url"),
        (401, Refused, r"channels\.ops\.url"),
        (404, Refused, r"HTTP 404"),
        (408, TryLater, "HTTP 408"),
        (429, TryLater, "HTTP 429"),
        (500, TryLater, "HTTP 500"),
        (503, TryLater, "HTTP 503"),
        (504, Doubtful, "may have"),
    ],
)
def test_what_the_service_answers_decides_whether_to_try_again(
    service: Receiver, channel: AppriseChannel, status: int, error: type[ChannelError], says: str
) -> None:
    service.then(status, Location=f"{service.url}/elsewhere")
    with pytest.raises(error, match=says):
        channel.send(facts(), envelope())
    assert len(service.requests) == 1


def test_apprise_does_not_try_again_by_itself(service: Receiver, rig: AppriseRig, open_as: Open) -> None:
    for _ in range(5):
        service.then(503)
    with pytest.raises(TryLater):
        open_as("apprise", {"url": f"{rig.options['url']}?retry=4&wait=0"}).send(facts(), envelope())
    assert len(service.requests) == 1


def test_an_answer_that_trickles_in_is_given_up_after_the_timeout(
    service: Receiver, rig: AppriseRig, open_as: Open
) -> None:
    service.then(how="trickle")
    began = monotonic()
    with pytest.raises(Doubtful, match="in time"):
        open_as("apprise", rig.options, patience=0.5).send(facts(), envelope())
    assert 0.4 < monotonic() - began < 3


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(SettingsError, match=r'^channels\.ops\.kind .*pip install "flowy-watch\[apprise\]"$'):
        AppriseChannel("ops", AppriseConfig.model_validate({"url": "json://127.0.0.1/x"}))


def test_nobody_pays_for_apprise_who_does_not_use_it() -> None:
    program = "import flowy_watch.channels, sys; sys.exit('apprise' in sys.modules or 'requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("url", ["hush-hush", "nosuchservice://hush-hush/x", "tgram://hush-hush", "https://"])
def test_an_address_that_apprise_does_not_know_is_named_and_not_shown(
    url: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SettingsError, match=r"^channels\.ops\.url ") as caught:
        AppriseChannel("ops", AppriseConfig.model_validate({"url": url}))
    printed = capfd.readouterr()
    assert "hush" not in "".join(traceback.format_exception(caught.value)) + printed.err + printed.out


def test_what_apprise_logs_reaches_nobody(
    service: Receiver, rig: AppriseRig, open_as: Open, capfd: pytest.CaptureFixture[str]
) -> None:
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    ear, root = Ear(), logging.getLogger()
    level = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        service.then(500)
        with pytest.raises(TryLater):
            open_as("apprise", rig.options).send(facts(), envelope())
    finally:
        root.removeHandler(ear)
        root.setLevel(level)
    assert [line for line in heard if rig.secret in line] == []
    assert capfd.readouterr().err == ""


def test_check_looks_up_no_token(open_as: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the address of a Telegram bot the token stands where elsewhere the host is."""

    def refuse(address: object, *_: object) -> None:
        raise AssertionError("looked up")

    monkeypatch.setattr("socket.create_connection", refuse)
    (line,) = open_as("apprise", {"url": "tgram://123456789:abcdefg_hijklmnop/12315544/"}).check()
    assert (line.ok, "Telegram" in line.detail, "abcdefg" in line.detail) == (True, True, False)
