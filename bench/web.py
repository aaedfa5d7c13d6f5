"""What the dashboard costs with 2,000 keys and 35 days: a page's time and size, and what 50 requests a second delay.

.venv/bin/python bench/web.py [--keys 2000] [--days 35] [--seconds 60] [--database FILE]
"""

import argparse
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter, sleep

import httpx

from flowy_watch.app import App, build_app
from flowy_watch.core.usage import CREDIT, DAY, Reading, Snapshot, day_of
from flowy_watch.core.watch import Watch
from flowy_watch.log import configure
from flowy_watch.settings import parse
from flowy_watch.web import beside


class Known:
    """A source that answers at once: what a poll costs is its own work."""

    def __init__(self, keys: int) -> None:
        self._keys, self._n = keys, 0

    def pull(self, now: datetime) -> Reading:
        self._n += 1
        return reading(now, self._keys, Random(self._n))

    def check(self, now: datetime) -> list[object]:
        return []

    def close(self) -> None:
        pass


def reading(at: datetime, keys: int, random: Random) -> Reading:
    part = (at.hour * 60 + at.minute + 1) * 0.05
    snapshots = (
        Snapshot(f"key_{n:05}", f"app-{n:05}", at, int((n % 50 + 1) * part * CREDIT * (1 + random.random() / 50)), at)
        for n in range(keys)
    )
    return Reading(at, tuple(s._replace(daily_cap=5000 * CREDIT) for s in snapshots), balance=10_000_000 * CREDIT)


def fill(app: App, keys: int, days: int, now: datetime) -> None:
    watch, random, at = Watch(), Random(1), now - days * DAY
    while at < now:
        with app.store.write() as work:
            numbers = work.usage.numbers()
            for _ in range(24):
                poll, one = work.usage.add_poll(at, "good", keys=keys), reading(at, keys, random)
                work.usage.add_snapshots(poll, one, numbers)
                watch.add(one)
                at += timedelta(hours=1)
                if at >= now:
                    break
    with app.store.write() as work:
        work.usage.save_states(watch, work.usage.numbers())


def timed(client: httpx.Client, path: str, times: int = 12) -> tuple[float, float, int]:
    """The first and the median time in milliseconds, and the size."""
    took = []
    for _ in range(times):
        began = perf_counter()
        answer = client.get(path)
        took.append((perf_counter() - began) * 1000)
        assert answer.status_code == 200, (path, answer.status_code)
    return took[0], median(took[1:]), len(answer.content)


def polls(app: App, seconds: float) -> float:
    """The median time of a poll in milliseconds, one a second."""
    took, end = [], perf_counter() + seconds
    while perf_counter() < end:
        began = perf_counter()
        app.poll.run(datetime.now(UTC))
        took.append((perf_counter() - began) * 1000)
        sleep(max(0.0, 1 - (perf_counter() - began)))
    return median(took)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--keys", type=int, default=2000)
    options.add_argument("--days", type=int, default=35)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--database", type=Path)
    asked = options.parse_args()
    configure("critical", "auto", [])
    with tempfile.TemporaryDirectory() as folder:
        file = asked.database or Path(folder) / "web.db"
        there = file.exists()
        settings = parse(
            f'source.token = "s"\nstore.url = "sqlite:///{file}"\n[web]\nlisten = "127.0.0.1:0"\ntoken = "t"',
            environ={},
        )
        with build_app(settings) as app:
            app.poll._source = Known(asked.keys)  # type: ignore[assignment]
            now = datetime.now(UTC).replace(second=0, microsecond=0)
            if not there:
                fill(app, asked.keys, asked.days, now)
            app.poll.run(datetime.now(UTC))
            with beside(app) as server:
                assert server is not None
                with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
                    client.post("/sign-in", data={"token": "t"}, headers={"origin": server.url})
                    measure(app, client, asked.seconds)


def measure(app: App, client: httpx.Client, seconds: float) -> None:
    with app.store.read() as work:
        row = work.views.keys(day_of(datetime.now(UTC)))[0]
        began = perf_counter()
        work.views.keys(day_of(datetime.now(UTC)))
        sql = (perf_counter() - began) * 1000
    for path in ("/", "/?sort=name&page=3", f"/keys/{row.key_id}", "/metrics"):
        if path == "/metrics":
            client.headers["authorization"] = "Bearer t"
        first, usual, size = timed(client, path)
        print(f"{path:24} first {first:7.1f} ms   again {usual:7.1f} ms   {size / 1024:6.0f} KB")
    print(f"every key, plain SQL     {sql:7.1f} ms")
    client.headers.pop("authorization", None)
    alone = polls(app, seconds / 3)
    stop, sent = threading.Event(), [0]

    def ask(number: int) -> None:
        with httpx.Client(base_url=client.base_url, cookies=client.cookies, timeout=60, trust_env=False) as mine:
            while not stop.is_set():
                began = perf_counter()
                mine.get("/")
                sent[0] += 1
                stop.wait(max(0.0, 0.1 - (perf_counter() - began)))

    threads = [threading.Thread(target=ask, args=(n,), daemon=True) for n in range(5)]
    for thread in threads:
        thread.start()
    beside_requests = polls(app, seconds)
    stop.set()
    for thread in threads:
        thread.join(5)
    print(f"a poll alone {alone:.1f} ms; beside {sent[0] / seconds:.0f} requests/s {beside_requests:.1f} ms")
    print("(the requests come from this process too and take their share of the interpreter)")


if __name__ == "__main__":
    main()
