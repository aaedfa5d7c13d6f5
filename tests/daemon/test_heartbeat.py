"""The sign of life: it follows finished polls, and ends with them."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from flowy_watch.daemon import Daemon
from flowy_watch.errors import StoreError
from flowy_watch.heartbeat import Heartbeat
from flowy_watch.notify_socket import NotifySocket
from flowy_watch.settings import parse
from tests.channels.receiver import Answer, Receiver, Taken
from tests.cli.rig import Rig, cli, wait_until

from .running import Running

SECRET = "uuid-of-the-check-7f3a"
EVERY = timedelta(minutes=5)


class Seconds:
    """A clock that stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Checks(Receiver):
    """Takes beginnings apart from ends, about which the script is."""

    def __init__(self) -> None:
        super().__init__()
        self.starts: list[str] = []
        self.at_start = Answer()

    def answer_for(self, taken: Taken) -> Answer:
        if taken.path.partition("?")[0].endswith("/start"):
            self.starts.append(taken.path)
            return self.at_start
        return super().answer_for(taken)


@pytest.fixture
def receiver() -> Iterator[Checks]:
    with Checks() as receiver:
        yield receiver


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def heartbeat(receiver: Receiver, seconds: Seconds) -> Iterator[Heartbeat]:
    with Heartbeat(f"{receiver.url}/{SECRET}", every=EVERY, seconds=seconds) as heartbeat:
        yield heartbeat


def poll(heartbeat: Heartbeat) -> None:
    with heartbeat.after():
        """It does its work."""


def break_down(heartbeat: Heartbeat) -> None:
    with suppress(StoreError), heartbeat.after():
        raise StoreError("disk full")


def pinged(receiver: Receiver) -> list[str]:
    return [taken.path.removeprefix(f"/{SECRET}") or "alive" for taken in receiver.requests]


def until_pinged(receiver: Receiver, *paths: str) -> None:
    wait_until(lambda: pinged(receiver) == list(paths), f"{paths}, not {pinged(receiver)}")


def settled(heartbeat: Heartbeat) -> None:
    """The outcome of the last ping is known."""
    assert heartbeat.idle.wait(5)


def test_a_finished_poll_is_pinged_at_once(receiver: Receiver, heartbeat: Heartbeat) -> None:
    poll(heartbeat)
    until_pinged(receiver, "alive")
    assert receiver.requests[0].method == "GET"


def test_polls_that_follow_each_other_quickly_are_pinged_once_per_period(
    receiver: Receiver, heartbeat: Heartbeat, seconds: Seconds
) -> None:
    for minute in range(11):
        seconds.now = 1000 + 60 * minute
        poll(heartbeat)
        settled(heartbeat)
        assert pinged(receiver) == ["alive"] * (1 + minute // 5)


def test_a_poll_a_little_early_still_counts_for_its_period(
    receiver: Receiver, heartbeat: Heartbeat, seconds: Seconds
) -> None:
    poll(heartbeat)
    settled(heartbeat)
    seconds.now += EVERY.total_seconds() - 3
    poll(heartbeat)
    settled(heartbeat)
    assert pinged(receiver) == ["alive", "alive"]


def test_a_loop_that_hangs_is_pinged_no_more(receiver: Receiver, heartbeat: Heartbeat, seconds: Seconds) -> None:
    poll(heartbeat)
    until_pinged(receiver, "alive")
    with suppress(StoreError), heartbeat.after():
        for _ in range(100):
            seconds.now += EVERY.total_seconds()
            Event().wait(0.002)
        assert pinged(receiver) == ["alive"]
        raise StoreError("at last")
    until_pinged(receiver, "alive", "/fail")


def test_a_poll_that_breaks_down_is_a_failure_at_once_and_so_is_recovery(
    receiver: Receiver, heartbeat: Heartbeat
) -> None:
    for what in (poll, break_down, break_down, poll, poll):
        what(heartbeat)
        settled(heartbeat)
    assert pinged(receiver) == ["alive", "/fail", "alive"]


def test_fail_goes_before_a_query(receiver: Receiver) -> None:
    with Heartbeat(f"{receiver.url}/ping/?create=1") as heartbeat:
        break_down(heartbeat)
        wait_until(lambda: receiver.requests, "a ping")
    assert receiver.requests[0].path == "/ping/fail?create=1"


def test_the_beginning_of_a_poll_is_announced_where_its_end_will_be_pinged(
    receiver: Checks, heartbeat: Heartbeat, seconds: Seconds
) -> None:
    for minute in (0, 1, 5, 6):
        seconds.now = 1000 + 60 * minute
        with heartbeat.after():
            settled(heartbeat)
        settled(heartbeat)
    assert (receiver.starts, pinged(receiver)) == ([f"/{SECRET}/start"] * 2, ["alive"] * 2)


def test_a_service_that_knows_no_beginnings_is_no_trouble(receiver: Checks, heartbeat: Heartbeat) -> None:
    receiver.at_start = Answer(404)
    with capture_logs() as logs, heartbeat.after():
        settled(heartbeat)
    settled(heartbeat)
    assert (pinged(receiver), logs) == (["alive"], [])


def test_a_failed_ping_is_not_repeated_before_the_next_poll_and_then_at_once(
    receiver: Receiver, heartbeat: Heartbeat
) -> None:
    receiver.then(503)
    with capture_logs() as logs:
        poll(heartbeat)
        settled(heartbeat)
        assert pinged(receiver) == ["alive"]
        poll(heartbeat)
        settled(heartbeat)
    assert pinged(receiver) == ["alive", "alive"]
    assert [line["event"] for line in logs] == ["heartbeat.failed", "heartbeat.restored"]


def test_trouble_is_logged_once_per_change_and_without_the_address(
    receiver: Receiver, heartbeat: Heartbeat, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for status in (503, 503, 404, 503, 200, 200):
        receiver.then(status)
    with capture_logs() as logs:
        for _ in range(5):
            poll(heartbeat)
            settled(heartbeat)
    said = [(line["event"], line.get("reason", "")) for line in logs]
    assert said == [
        ("heartbeat.failed", "it answered HTTP 503"),
        ("heartbeat.failed", "it answered HTTP 404"),
        ("heartbeat.failed", "it answered HTTP 503"),
        ("heartbeat.restored", ""),
    ]
    assert SECRET not in f"{logs} {caplog.text}"


@pytest.mark.parametrize("how", ["hang", "drop"])
def test_a_ping_that_hangs_delays_no_poll_and_raises_nothing(receiver: Receiver, how: str) -> None:
    receiver.then(how=how)
    with capture_logs() as logs, Heartbeat(f"{receiver.url}/{SECRET}", timeout=0.3) as heartbeat:
        poll(heartbeat)
        wait_until(lambda: receiver.requests, "a ping")
        began = monotonic()
        for _ in range(1000):
            poll(heartbeat)
        assert monotonic() - began < 0.3
        wait_until(lambda: logs, "a warning")
        until_pinged(receiver, "alive", "alive")
    assert logs[0]["event"] == "heartbeat.failed"


def test_an_address_where_nobody_listens_raises_nothing(receiver: Receiver) -> None:
    receiver.__exit__()
    with capture_logs() as logs, Heartbeat(f"{receiver.url}/{SECRET}", timeout=1) as heartbeat:
        poll(heartbeat)
        wait_until(lambda: logs, "a warning")
    assert logs[0]["reason"] == "its host could not be reached"
    receiver.__enter__()


def test_a_redirect_is_not_followed(receiver: Receiver, heartbeat: Heartbeat) -> None:
    receiver.then(302, Location=f"{receiver.url}/elsewhere")
    with capture_logs() as logs:
        poll(heartbeat)
        wait_until(lambda: logs, "a warning")
    assert (logs[0]["reason"], pinged(receiver)) == ("it answered HTTP 302", ["alive"])


def test_without_an_address_there_is_no_thread_and_no_error() -> None:
    with Heartbeat() as heartbeat:
        poll(heartbeat)
        break_down(heartbeat)
        assert not heartbeat._thread.is_alive()


def test_the_thread_ends_with_the_daemon(receiver: Receiver) -> None:
    with Heartbeat(f"{receiver.url}/{SECRET}") as heartbeat:
        poll(heartbeat)
        until_pinged(receiver, "alive")
    heartbeat._thread.join(5)
    assert not heartbeat._thread.is_alive()


# --- In the daemon ---


class Scripted:
    """Stands for the poll job: what each poll does, the last one over and over."""

    def __init__(self, *acts: Callable[[], None]) -> None:
        self.acts, self.polls = list(acts), 0
        self.leaving = Event()

    def catch_up(self, alive: Callable[[], object]) -> None:
        """Nothing to replay."""

    def run(self, now: datetime) -> Any:
        self.polls += 1
        (self.acts.pop(0) if len(self.acts) > 1 else self.acts[0])()
        return SimpleNamespace(waiting=0)


def serving(job: Scripted, url: str) -> tuple[Daemon, Thread]:
    options = f'poll.every = "1s"\nheartbeat = {{ url = "{url}", every = "1s" }}'
    settings = parse(options, environ={"FLOWY_WATCH__SOURCE__TOKEN": "x"})
    postman = SimpleNamespace(start=lambda: None, stop=lambda within: None, ring=lambda: None)
    clock = SimpleNamespace(speed=1.0, now=lambda: datetime.now(UTC))  # noqa: TID251
    source = SimpleNamespace(close=lambda: None)
    daemon = Daemon(
        SimpleNamespace(
            settings=settings, clock=clock, source=source, poll=job, postman=postman, store=None, listeners=()
        )
    )  # type: ignore[arg-type]
    return daemon, Thread(target=daemon.serve, args=(NotifySocket({}),))


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with capture_logs() as logs:
        yield logs


def test_pings_stop_within_one_period_when_the_poll_loop_hangs(receiver: Receiver, logs: list[Any]) -> None:
    released = Event()
    job = Scripted(lambda: None, lambda: None, lambda: released.wait(30) and None)
    daemon, thread = serving(job, f"{receiver.url}/{SECRET}")
    thread.start()
    try:
        wait_until(lambda: job.polls == 3, "the poll that hangs")
        at_hang = len(receiver.requests)
        Event().wait(2.5)
        assert at_hang >= 1
        assert len(receiver.requests) <= at_hang + 1  # the one that was on its way
        before = len(receiver.requests)
        released.set()
        wait_until(lambda: len(receiver.requests) > before, "a ping after the poll went on")
    finally:
        released.set()
        daemon.stop()
        thread.join(10)
    assert "/fail" not in pinged(receiver)


def test_a_loop_that_breaks_down_pings_fail_and_goes_on(receiver: Receiver, logs: list[Any]) -> None:
    def broken() -> None:
        raise StoreError("disk full")

    job = Scripted(broken, lambda: None)
    daemon, thread = serving(job, f"{receiver.url}/{SECRET}")
    thread.start()
    try:
        wait_until(lambda: len(receiver.requests) >= 2, "two pings")
    finally:
        daemon.stop()
        thread.join(10)
    assert pinged(receiver)[:2] == ["/fail", "alive"]


def test_the_daemon_pings_whatever_the_source_said_and_logs_no_address(rig: Rig, receiver: Receiver) -> None:
    rig.configure(more=f'[heartbeat]\nurl = "{receiver.url}/{SECRET}"\n')
    rig.flowy.refuses = 404
    with Running(rig) as daemon:
        daemon.until_polled()
        wait_until(lambda: pinged(receiver) == ["alive"], "a ping")
        assert daemon.stopped()[0] == 0
        text = daemon.log_file.read_text()
    assert SECRET not in text
    assert next(line for line in daemon.log() if line["event"] == "poll")["outcome"] == "failed"


def test_a_single_poll_pings_too_before_the_command_ends(rig: Rig, receiver: Receiver) -> None:
    rig.configure(more=f'[heartbeat]\nurl = "{receiver.url}/{SECRET}"\n')
    assert cli("--config", rig.config, "poll").code == 0
    assert pinged(receiver) == ["alive"]
