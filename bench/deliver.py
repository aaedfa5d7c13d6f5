"""From the commit of an alert to the arrival of its post, at an idle daemon, over a real Slack on loopback.

Rung: as after a poll of the same process. Found: committed by another process, which nobody is told of. Then a storm:
from the commit of 500 alerts to the third post, two seconds of which are Slack's rule of one post a second.
Run: python bench/deliver.py [ROUNDS]
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import uniform
from statistics import median
from threading import Event
from time import perf_counter

from flowy_watch.app import build_app
from flowy_watch.clock import SystemClock
from flowy_watch.core.alert import Alert, Change, Status, Transition
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.notification import Notification
from flowy_watch.log import configure
from flowy_watch.settings import parse
from flowy_watch.simulator.people import FakeSlack, Post
from flowy_watch.store import Store

SPACING = 1.05  # seconds; sooner after another post the daemon would wait for Slack's sake


class Arrivals:
    def __init__(self) -> None:
        self.at = list[float]()
        self._arrived = Event()

    def note(self, _post: Post) -> None:
        self.at.append(perf_counter())
        self._arrived.set()

    def wait(self, posts: int) -> float:
        """When the post of this number arrived, counted from 1 and from the beginning."""
        while len(self.at) < posts:
            self._arrived.wait(10)
            self._arrived.clear()
        return self.at[posts - 1]


def commit(store: Store, count: int, name: str) -> float:
    """Alerts of one poll, as the poll stores them; when they were committed."""
    now = SystemClock().now()
    findings = (
        Finding("cap", Severity.CRITICAL, f"{name}-{n} is at 96 % of its daily cap", f"{name}_{n}", f"{name}-{n}")
        for n in range(count)
    )
    new = [Alert(0, finding, Status.OPEN, 1, opened_at=now, last_seen_at=now) for finding in findings]
    with store.write() as work:
        made = work.alerts.record(Transition(alert, Change.OPENED, now) for alert in new)
        work.outbox.add(Notification("ops", Change.OPENED, each.alert, now) for each in made)
    return perf_counter()


@contextmanager
def other_process(path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{path}")
    yield store
    store.close()


def figures(seconds: list[float]) -> str:
    ranked = sorted(seconds)
    high = ranked[min(len(ranked) * 99 // 100, len(ranked) - 1)]
    return f"median {median(ranked) * 1e3:6.1f} ms   p99 {high * 1e3:6.1f} ms   of {len(ranked)}"


def main(rounds: int) -> None:
    configure("critical", "auto", [])
    arrivals = Arrivals()
    with tempfile.TemporaryDirectory() as folder, FakeSlack(on_post=arrivals.note) as slack:
        path = Path(folder) / "watch.db"
        configuration = f"""
[store]
url = "sqlite:///{path}"
[source]
base_url = "http://127.0.0.1:9/"
token = "unused"
[channels.ops]
kind = "slack"
token = "{slack.token}"
channel = "{slack.channel}"
api_url = "{slack.url}"
"""
        with build_app(parse(configuration, environ={})) as app, other_process(path) as other:
            app.postman.start()
            rung, found = list[float](), list[float]()
            for n in range(rounds):
                Event().wait(SPACING + uniform(0, 0.3))
                began = commit(app.store, 1, f"rung-{n}")
                app.postman.ring()
                rung.append(arrivals.wait(len(rung) + 1) - began)
            for n in range(rounds // 2):
                Event().wait(SPACING + uniform(0, 1))
                began = commit(other, 1, f"found-{n}")
                found.append(arrivals.wait(rounds + len(found) + 1) - began)
            Event().wait(SPACING)
            began = commit(app.store, 500, "storm")
            app.postman.ring()
            before = rounds + len(found)
            first, last = arrivals.wait(before + 1) - began, arrivals.wait(before + 3) - began
            app.postman.stop(within=timedelta(seconds=5))
    print(f"rung   {figures(rung)}")
    print(f"found  {figures(found)}")
    print(f"storm of 500: first post after {first * 1e3:.0f} ms, third after {last * 1e3:.0f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
