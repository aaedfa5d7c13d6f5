"""The dashboard as a browser or a program meets it: a real server, real requests."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import httpx

from flowy_watch.app import App, build_app, telling_of
from flowy_watch.core.alert import Alert, Change, Status, Transition
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.notification import Notification
from flowy_watch.core.provenance import Provenance
from flowy_watch.core.route import Telling
from flowy_watch.core.usage import Snapshot
from flowy_watch.settings import parse
from flowy_watch.web.identity import make_link
from flowy_watch.web.server import WebServer, beside
from flowy_watch.web.visit import Role
from tests.builders import NOON, bursts, learned, reading, snapshot

TOKEN, VIEWER = "operator-token-4711-long", "viewer-token-0815-long"


class StillClock:
    """Stands where a test puts it."""

    def __init__(self, speed: float) -> None:
        self.at, self.speed = NOON, speed

    def now(self) -> datetime:
        return self.at


class House:
    """`with House(folder) as house: …`; `house.client()` is a browser that has not signed in."""

    def __init__(
        self,
        folder: Path,
        *,
        more: str = "",
        web: str = f'token = "{TOKEN}"\nviewer_token = "{VIEWER}"',
        speed: float = 1,
    ) -> None:
        self.clock = StillClock(speed)
        self._stack = ExitStack()
        self._settings = parse(
            f"""
[workspace]
name = "Studio"
api_keys_url = "https://app.example.com/keys"
[store]
url = "sqlite:///{folder / "watch.db"}"
[source]
base_url = "http://127.0.0.1:9/"
token = "source-secret-1234"
[web]
listen = "127.0.0.1:0"
{web}
{more}""",
            environ={},
        )

    def __enter__(self) -> Self:
        self.app: App = self._stack.enter_context(build_app(self._settings, clock=self.clock))
        server = self._stack.enter_context(beside(self.app))
        assert server is not None
        self.server: WebServer = server
        self.url = server.url
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def client(self, **options: Any) -> httpx.Client:
        return self._stack.enter_context(httpx.Client(base_url=self.url, timeout=20, verify=False, **options))

    def link(self, role: Role = Role.OPERATOR, by: str = "ana") -> str:
        return f"/login/{make_link(self.app.store, role=role, by=by, now=self.clock.now())}"

    def browser(self, role: Role = Role.OPERATOR, by: str = "ana") -> "Browser":
        browser = Browser(self.client())
        answer = browser.send(self.link(role, by))
        assert answer.status_code == 303, answer.text
        return browser

    def machine(self, token: str = TOKEN) -> httpx.Client:
        return self.client(headers={"authorization": f"Bearer {token}"})

    @property
    def telling(self) -> Telling:
        return telling_of(self.app.settings)

    # ── what is stored ───────────────────────────────────────────────────────────────────────────────────────────

    def poll(
        self,
        *snapshots: Snapshot,
        at: datetime | None = None,
        balance: float | None = None,
        told: Mapping[str, Provenance] | None = None,
    ) -> None:
        at = at or self.clock.now()
        with self.app.store.write() as work:
            poll_id = work.usage.add_poll(at, "good", keys=len(snapshots))
            work.usage.add_snapshots(poll_id, reading(*snapshots, at=at, balance=balance), work.usage.numbers())
            work.knowledge.note_provenances(told or {}, work.usage.numbers())

    def days(self, spends: Sequence[float], **key: Any) -> None:
        """One poll at noon of each day up to today's."""
        for back, spent in enumerate(reversed(spends)):
            at = self.clock.now() - timedelta(days=back)
            self.poll(snapshot(spent, at, used=at, **key), at=at)

    def learned(self, key_id: str, spends: Callable[[int], float] | None = None) -> None:
        """Five weeks of hours up to now, as the poll's own states would hold them."""
        usual = spends or bursts(20)
        with self.app.store.write() as work:
            watch = work.usage.load_watch()
            numbers = work.usage.numbers()
            watch.histories[key_id].baseline = learned(usual, 34, until=self.clock.now())
            work.usage.save_states(watch, numbers)

    def alert(self, **finding: Any) -> Alert:
        named: dict[str, Any] = {
            "kind": "cap",
            "severity": Severity.CRITICAL,
            "title": "render is at 96 % of its daily cap",
            "key_id": "key_1",
            "key_name": "render",
            "period": "2026-03-02",
            "evidence": ("960 of 1,000 credits",),
        } | finding
        now = self.clock.now()
        made = Alert(0, Finding(**named), Status.OPEN, 1, opened_at=now, last_seen_at=now)
        with self.app.store.write() as work:
            (recorded,) = work.alerts.record([Transition(made, Change.OPENED, now)])
        return recorded.alert

    def notice(self, channel: str, alert: Alert | None = None, **more: Any) -> None:
        """One that waits to be sent."""
        about = alert or self.alert(period="noticed")
        with self.app.store.write() as work:
            work.outbox.add([Notification(channel, Change.OPENED, about, self.clock.now(), **more)])

    def stored(self, alert_id: int) -> Alert:
        with self.app.store.read() as work:
            found = work.alerts.get(alert_id)
        assert found
        return found


class Browser:
    """Sends forms as a page of ours would: with its origin and its token."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.client.get(path, **more)

    @property
    def origin(self) -> dict[str, str]:
        return {"origin": str(self.client.base_url).rstrip("/")}

    @property
    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.get("/settings").text)
        assert found
        return found[1]

    def send(self, path: str, *, headers: dict[str, str] | None = None, **form: str) -> httpx.Response:
        return self.client.post(path, data=form, headers=self.origin if headers is None else headers)

    def act(self, path: str, **form: str) -> httpx.Response:
        return self.send(path, csrf=self.csrf, **form)
