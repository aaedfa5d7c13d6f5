"""The whole product on a simulated day: a local Flowy, the daemon, a Slack and a mailbox, all over real sockets."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from flowy_watch.app import App, build_app
from flowy_watch.clock import FastClock, SystemClock
from flowy_watch.core.usage import day_of, day_start
from flowy_watch.daemon import Daemon
from flowy_watch.errors import SourceError
from flowy_watch.jobs.exchange import import_file
from flowy_watch.log import configure
from flowy_watch.notify_socket import NotifySocket
from flowy_watch.settings import parse
from flowy_watch.simulator import SCENARIOS, Faults, Scenario, SimulatorServer, make_world, world_with_history
from flowy_watch.simulator.people import FakeSlack, Mail, MailSink, Post
from flowy_watch.store.outbox import DEAD, WAITING
from flowy_watch.web import beside
from flowy_watch.web.identity import make_link
from flowy_watch.web.visit import Role

_STEP = timedelta(minutes=5)
_SPEED = 2000.0  # a day in three quarters of a minute
_SECRET = "xoxb-demo-only-0000000000"  # noqa: S105  # known to the demo's own Slack alone


@dataclass(slots=True)
class _DayClock:
    """Moves five minutes with every poll, and stands still after the last of its day.

    Steps and not speed: on a slow machine the day takes longer, and the same things happen in it.
    """

    started_at: datetime
    ends_at: datetime
    speed: float = _SPEED
    over: Event = field(default_factory=Event)
    _at: datetime = field(init=False)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._at = self.started_at

    def now(self) -> datetime:
        with self._lock:
            return self._at

    def step(self) -> datetime:
        with self._lock:
            if self._at + _STEP >= self.ends_at:
                self.over.set()
                self._at += timedelta(seconds=1)
            else:
                self._at += _STEP
            return self._at


class _Screen:
    """What the terminal shows as it arrives."""

    def __init__(self, clock: _DayClock) -> None:
        self._console, self._clock, self._lock = Console(highlight=False), clock, Lock()

    @property
    def watched(self) -> bool:
        """Whether somebody sits before it."""
        return self._console.is_terminal

    def say(self, text: str) -> None:
        with self._lock:
            self._console.print(Text(text))

    def slack(self, post: Post) -> None:
        text = Text(post.text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
        if post.updates or post.thread_ts:  # rings nowhere: a message brought up to date, or a line in its thread
            with self._lock:
                self._console.print(Text("  slack, quietly  ").append_text(text), style="dim")
            return
        with self._lock:
            self._console.print(Panel(text, title=f"Slack  {self._clock.now():%H:%M} UTC", title_align="left"))

    def mail(self, mail: Mail) -> None:
        with self._lock:
            self._console.print(Text(f"  mail  {mail.subject}", style="dim"))


def run_demo(inbox: Path, *, once: bool, environ: Mapping[str, str]) -> bool:
    """Play the scenario `mixed`; True when just the expected alerts came, all on Slack and by mail."""
    configure("error", "auto", [_SECRET])
    scenario, start = SCENARIOS["mixed"], _a_tuesday()
    clock = _DayClock(start, start + scenario.lasts)
    screen = _Screen(clock)
    inbox.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flowy-watch-demo-")))
        screen.say(f"A simulated {start:%A}, in about a minute. Messages are kept in {inbox}/")
        world = world_with_history(folder / "history.csv", folder / "balance.csv", start=start)
        faults = Faults()
        scenario.play(world, faults, start=start)
        flowy = stack.enter_context(SimulatorServer(world, clock, faults=faults))
        slack = stack.enter_context(FakeSlack(token=_SECRET, folder=inbox, on_post=screen.slack))
        sink = stack.enter_context(MailSink(folder=inbox, on_mail=screen.mail))
        configuration = _configuration(folder, flowy, slack, sink, environ)
        app = stack.enter_context(build_app(parse(configuration, environ={}), clock=clock))
        known = import_file(app.store, folder / "history.csv", folder / "balance.csv", now=start)
        screen.say(f"Imported {known.snapshots:,} snapshots of 45 days; watching from 00:00 UTC.")
        if not once:
            stack.enter_context(dashboard(app, screen.say))
        _watch_the_day(app, clock, screen)
        good = _judge(app, scenario, screen)
        if not once and screen.watched:
            screen.say("The day is over, and its dashboard is still there. Ctrl-C ends the demo.")
            Event().wait()
    return good


@contextmanager
def dashboard(app: App, say: Callable[[str], None]) -> Iterator[None]:
    """Serve the pages, also after the day is over, and say where."""
    with beside(app) as server:
        if server is not None:
            clock = app.clock
            code = make_link(app.store, role=Role.OPERATOR, by="you", now=clock.now(), speed=clock.speed)
            say(f"Its dashboard, signed in: {server.url}/login/{code}")
        yield


def _watch_the_day(app: App, clock: _DayClock, screen: _Screen) -> None:
    daemon = Daemon(app, poll_at=clock.step)
    thread = Thread(target=daemon.serve, args=(NotifySocket({}),), daemon=True)
    thread.start()
    clock.over.wait(300)
    until = monotonic() + 15
    while monotonic() < until and _waiting(app):
        clock.over.wait(0.1)
        Event().wait(0.1)
    daemon.stop()
    thread.join(10)


def _waiting(app: App) -> bool:
    with app.store.read() as work:
        return any(status == WAITING and count for (_, status), count in work.outbox.counts().items())


def _judge(app: App, scenario: Scenario, screen: _Screen) -> bool:
    """Compare the alerts of the day with what the scenario says a watcher must and may find."""
    with app.store.read() as work:
        found = {(alert.finding.key_name, alert.finding.kind) for alert in work.alerts.all()}
        undelivered = [key for key, count in work.outbox.counts().items() if key[1] in (DEAD, WAITING) and count]
    missed = scenario.expected() - found
    extra = found - scenario.expected() - scenario.allowed()
    for what, pairs in (("missed", missed), ("not expected", extra)):
        for name, kind in sorted(pairs):
            screen.say(f"{what}: {kind} {name or '(workspace)'}")
    for channel, status in undelivered:
        screen.say(f"not delivered: {channel} {status}")
    good = not (missed or extra or undelivered)
    may_come = len(found & (scenario.allowed() - scenario.expected()))
    along = f" and {may_come} that may come along" if may_come else ""
    screen.say(
        f"{len(found)} alerts, {len(scenario.expected())} expected{along}: "
        + ("all came, nothing else." if good else "NOT as expected.")
    )
    return good


def _configuration(
    folder: Path, flowy: SimulatorServer, slack: FakeSlack, sink: MailSink, environ: Mapping[str, str]
) -> str:
    """The demo's configuration; SLACK_BOT_TOKEN and SLACK_CHANNEL add the real Slack."""
    real = ""
    if environ.get("SLACK_BOT_TOKEN") and environ.get("SLACK_CHANNEL"):
        real = f"""
[channels.slack]
kind = "slack"
token = "{environ["SLACK_BOT_TOKEN"]}"
channel = "{environ["SLACK_CHANNEL"]}"
"""
    return f"""
[workspace]
name = "Demo studio"
api_keys_url = "https://app.example.com/settings/api-keys"
timezone = "Europe/Madrid"

[store]
url = "sqlite:///{folder / "demo.db"}"

[source]
base_url = "{flowy.base_url}"
token = "{flowy.owner_token}"

[keys."prod-*"]
owner = "media-team"
[keys."design-team"]
owner = "design"
hours = "Mon-Fri 07:00-20:00 Europe/Madrid"

[channels.ops]
kind = "slack"
token = "{_SECRET}"
channel = "{slack.channel}"
api_url = "{slack.url}"

[channels.mail]
kind = "email"
host = "{sink.host}"
port = {sink.port}
security = "none"
from = "flowy-watch@example.com"
to = ["oncall@example.com"]

[web]
listen = "127.0.0.1:0"

[digest]
weekday = "tuesday"
time = "10:00"
channels = ["mail"]
{real}"""


def _a_tuesday() -> datetime:
    """00:00 UTC of the last Tuesday that is wholly past: an ordinary working day."""
    today = day_start(day_of(SystemClock().now()))
    return today - timedelta(days=(today.weekday() - 1) % 7 or 7)


def serve_simulator(
    scenario: str, *, port: int, speed: float, keys: int | None, history: Path | None, say: Callable[[str], None]
) -> None:
    """Serve a local Flowy until Ctrl-C. `history` names a folder for 45 days of snapshots and balances."""
    start = day_start(day_of(SystemClock().now())) if speed == 1.0 else _a_tuesday()
    if history is not None:
        history.mkdir(parents=True, exist_ok=True)
        world = world_with_history(history / "history.csv", history / "balance.csv", start=start, keys=keys)
        say(f"Wrote the past: flowy-watch import {history}/history.csv --workspace {history}/balance.csv")
    else:
        world = make_world(keys, start=start)
    faults = Faults()
    SCENARIOS[scenario].play(world, faults, start=start)
    clock = SystemClock() if speed == 1.0 else FastClock(start.astimezone(UTC), speed)
    try:
        with SimulatorServer(world, clock, port=port, faults=faults) as server:
            say(f"Flowy, simulated: {server.base_url}")
            say(f"token: {server.owner_token}")
            Event().wait()
    except OSError as error:
        raise SourceError(f"cannot listen on port {port}: {error.strerror or error}") from error
