"""A workspace with people round it, on real sockets, and two ways to run the command: in this process or in its own."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

from flowy_watch.cli import main
from flowy_watch.clock import SystemClock
from flowy_watch.simulator.people import FakeSlack, MailSink
from tests.cli.flowy import Flowy, instant, key

SOURCE_TOKEN = "owner-credential-7f3a9c"
SLACK_TOKEN = "xoxb-cli-tests-0000000000"
SMTP_PASSWORD = "correct-horse-battery"
SECRETS = (SOURCE_TOKEN, SLACK_TOKEN, SMTP_PASSWORD)
COMMAND = [sys.executable, "-m", "flowy_watch"]


def now() -> datetime:
    return SystemClock().now()


def wait_until(true: Callable[[], Any], what: str, *, within: float = 20) -> Any:
    """What `true` comes to, as soon as it is something."""
    end = monotonic() + within
    while not (found := true()):
        assert monotonic() < end, f"not within {within} s: {what}"
        Event().wait(0.02)
    return found


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith("FLOWY_WATCH")}
    return mine | {"NO_COLOR": "1", "COLUMNS": "200", "PYTHONUNBUFFERED": "1"} | (extra or {})


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@contextmanager
def _environ(wanted: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def cli(*arguments: object, env: dict[str, str] | None = None) -> Ran:
    """The command in this process, from its entry point on."""
    out, err, argv, code = io.StringIO(), io.StringIO(), sys.argv, 0
    sys.argv = ["flowy-watch", *map(str, arguments)]
    try:
        with _environ(environment(env)), redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    finally:
        sys.argv = argv
    return Ran(code, out.getvalue(), err.getvalue())


def spawned(*arguments: object, env: dict[str, str] | None = None, cwd: Path | None = None, within: float = 60) -> Ran:
    """The command in a process of its own."""
    words = [*COMMAND, *map(str, arguments)]
    done = subprocess.run(
        words, env=environment(env), cwd=cwd, capture_output=True, text=True, timeout=within, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


class Rig:
    """One workspace, one Slack, one mailbox, one configuration."""

    def __init__(self, folder: Path, flowy: Flowy, slack: FakeSlack, sink: MailSink) -> None:
        self.folder, self.flowy, self.slack, self.sink = folder, flowy, slack, sink
        self.database, self.config = folder / "watch.db", folder / "flowy-watch.toml"
        self.said: list[Ran] = []
        self.configure()

    def configure(self, *, more: str = "", every: str = "1h", slack: str = "", **options: str) -> None:
        """`more` is added at the end, `slack` to the channel's options."""
        values = {"source_token": SOURCE_TOKEN, "slack_token": SLACK_TOKEN} | options
        self.config.write_text(
            f"""
[workspace]
api_keys_url = "https://app.example.com/settings/api-keys"
[store]
url = "sqlite:///{self.database}"
[poll]
every = "{every}"
[source]
base_url = "{self.flowy.base_url}"
token = "{values["source_token"]}"
deadline = "5s"
[channels.ops]
kind = "slack"
token = "{values["slack_token"]}"
channel = "{self.slack.channel}"
api_url = "{self.slack.url}"
{slack}
[channels.mail]
kind = "email"
host = "{self.sink.host}"
port = {self.sink.port}
security = "none"
username = "watch"
password = "{SMTP_PASSWORD}"
from = "Flowy Watch <watch@example.com>"
to = ["oncall@example.com"]
{more}""",
            encoding="utf-8",
        )

    def run(self, *arguments: object, env: dict[str, str] | None = None) -> Ran:
        self.said.append(cli("--config", self.config, *arguments, env=env))
        return self.said[-1]

    def good(self, *arguments: object) -> Ran:
        ran = self.run(*arguments)
        assert ran.code == 0, (arguments, ran)
        return ran

    def alerts(self) -> list[dict[str, Any]]:
        return list(self.good("alerts", "--json").json["alerts"])

    def alert(self, kind: str, name: str | None) -> dict[str, Any]:
        found = [alert for alert in self.alerts() if (alert["kind"], alert["key_name"]) == (kind, name)]
        assert len(found) == 1, (kind, name, self.alerts())
        return found[0]

    def told(self) -> list[str]:
        """All that stands on Slack, each post as one text, in which all spaces are plain."""
        posts = (json.dumps(dict(post.payload), ensure_ascii=False) for post in self.slack.posts)
        return [text.replace("\u00a0", " ") for text in posts]

    def mailed(self) -> list[str]:
        return [mail.subject + "\n" + mail.html.replace("\u00a0", " ") for mail in self.sink.mails]

    def near_cap(self) -> None:
        self.flowy.keys["prod-render"].spentToday = 970.0
        self.flowy.keys["prod-render"].lastUsedAt = instant(now())

    def wake_dormant(self) -> None:
        self.flowy.keys["old-import"].lastUsedAt = instant(now())

    def drain_balance(self) -> None:
        self.flowy.balance = 900.0

    def new_key(self) -> None:
        self.flowy.add(key(99, "fresh-key", used=None, made=now()))

    def new_key_burns(self) -> None:
        self.flowy.keys["fresh-key"].spentToday = 600.0
        self.flowy.keys["fresh-key"].lastUsedAt = instant(now())

    def until_delivered(self) -> None:
        def nothing_waits() -> bool:
            self.good("poll")
            return not self.good("status", "--json").json["outbox"]["waiting"]

        wait_until(nothing_waits, "every notice to be delivered")

    def breached(self) -> dict[str, Any]:
        """A quiet poll, then one that finds a key near its cap; the alert."""
        self.good("poll")
        self.near_cap()
        self.good("poll")
        return self.alert("cap", "prod-render")


@contextmanager
def rigged(folder: Path) -> Iterator[Rig]:
    # Counters that start again between two polls would be another story.
    wait_until(lambda: now() + timedelta(seconds=40) < next_midnight() or None, "midnight to be over", within=60)
    with (
        Flowy(SOURCE_TOKEN, now()) as flowy,
        FakeSlack(token=SLACK_TOKEN) as slack,
        MailSink(login=("watch", SMTP_PASSWORD)) as sink,
    ):
        yield Rig(folder, flowy, slack, sink)


def next_midnight() -> datetime:
    return now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
