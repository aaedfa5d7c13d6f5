"""What the dashboard costs with 2,000 keys and 35 days: a page's time and size, and what 50 requests a second delay.

.venv/bin/python bench/web.py [--keys 2000] [--days 35] [--seconds 60] [--rate 50] [--database FILE]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from statistics import median, quantiles
from time import perf_counter, process_time, sleep, thread_time
from urllib.parse import urlsplit

import httpx

from flowy_watch.app import App, build_app
from flowy_watch.core.usage import CREDIT, DAY, Reading, Snapshot, day_of
from flowy_watch.core.watch import Watch
from flowy_watch.daemon import look_for_garbage_rarely
from flowy_watch.log import configure
from flowy_watch.settings import parse
from flowy_watch.web import beside

PATHS = ("/", "/", "/", "/", "/keys/key_00007")
"""What is asked for, in turn: four tables that nothing has changed in since the last, one page made anew."""


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


def anew(client: httpx.Client, times: int = 9) -> tuple[float, float]:
    """The overview that nobody asked for before: the median of its time and of this process's CPU, in milliseconds."""
    took, cpu = [], []
    for number in range(times):
        began, ours = perf_counter(), process_time()
        client.get(f"/?page={number + 4}")
        took.append((perf_counter() - began) * 1000)
        cpu.append((process_time() - ours) * 1000)
    return median(took), median(cpu)


def timed(client: httpx.Client, path: str, times: int = 12) -> tuple[float, float, int]:
    """The first and the median time in milliseconds, and the size."""
    took = []
    for _ in range(times):
        began = perf_counter()
        answer = client.get(path)
        took.append((perf_counter() - began) * 1000)
        assert answer.status_code == 200, (path, answer.status_code)
    return took[0], median(took[1:]), len(answer.content)


@dataclass(frozen=True)
class Cost:
    """Of one poll, in milliseconds."""

    took: float
    cpu: float
    meanwhile: float
    """CPU of this process's other threads while it ran: what the dashboard took from it."""


def polls(app: App, seconds: float) -> list[Cost]:
    """One a second."""
    costs, end = [], perf_counter() + seconds
    while perf_counter() < end:
        began, mine, ours = perf_counter(), thread_time(), process_time()
        app.poll.run(datetime.now(UTC))
        mine, ours = thread_time() - mine, process_time() - ours
        costs.append(Cost((perf_counter() - began) * 1000, mine * 1000, (ours - mine) * 1000))
        sleep(max(0.0, 1 - (perf_counter() - began)))
    return costs


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--keys", type=int, default=2000)
    options.add_argument("--days", type=int, default=35)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--rate", type=float, default=50)
    options.add_argument("--database", type=Path)
    options.add_argument("--ask", type=float, help=argparse.SUPPRESS)
    options.add_argument("--other", action="store_true", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.other:
        serve_other()
        return
    if asked.ask:
        ask(asked.ask, os.environ["COOKIE"])
        return
    configure("critical", "auto", [])
    look_for_garbage_rarely()
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
                sleep(2)  # what is made ready in the background is ready when a person comes
                with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
                    client.post("/sign-in", data={"token": "t"}, headers={"origin": server.url})
                    measure(app, client, seconds=asked.seconds, rate=asked.rate)


def measure(app: App, client: httpx.Client, *, seconds: float, rate: float) -> None:
    with app.store.read() as work:
        row = work.views.keys(day_of(datetime.now(UTC)))[0]
        began = perf_counter()
        work.views.lines(day_of(datetime.now(UTC)))
        sql = (perf_counter() - began) * 1000
    for path in ("/", "/?sort=name&page=3", f"/keys/{row.key_id}", "/metrics"):
        if path == "/metrics":
            client.headers["authorization"] = "Bearer t"
        first, usual, size = timed(client, path)
        print(f"{path:24} first {first:7.1f} ms   again {usual:7.1f} ms   {size / 1024:6.0f} KB")
    client.headers.pop("authorization", None)
    print(f"every key, plain SQL     {sql:7.1f} ms")
    print("overview made anew       {:7.1f} ms, CPU with the client's {:.1f} ms".format(*anew(client)))
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    delay(app, str(client.base_url), cookie, seconds=seconds, rate=rate)


def delay(app: App, url: str, cookie: str, *, seconds: float, rate: float) -> None:
    """Stretches without requests, with requests to another server, and with requests to ours take turns.

    What else the machine does falls on all alike; who sends the requests costs as much in the second as in the third.
    """
    stretch = 3.0
    other = subprocess.Popen([sys.executable, __file__, "--other"], stdout=subprocess.PIPE, text=True)
    assert other.stdout
    costs: dict[str, list[Cost]] = {"": [], other.stdout.readline().strip(): [], url: []}
    command = [sys.executable, __file__, "--ask", str(rate)]
    load = subprocess.Popen(
        command, env=os.environ | {"COOKIE": cookie}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert load.stdin
    assert load.stdout
    sent = dict.fromkeys(costs, 0)
    for _ in range(max(1, round(seconds / stretch))):
        for place, found in costs.items():
            print(place, file=load.stdin, flush=True)
            sleep(0.3)
            found += polls(app, stretch)
            print(file=load.stdin, flush=True)
            sent[place] += int(load.stdout.readline()) if place else 0
    for process in (load, other):
        process.terminate()
        process.communicate()
    for name, (place, found) in zip(("alone", "beside another server", "beside ours"), costs.items(), strict=True):
        took, cpu, meanwhile = (
            quantiles([getattr(one, what) for one in found], n=4) for what in ("took", "cpu", "meanwhile")
        )
        asked = sent[place] / (len(found) / stretch * (stretch + 0.3))
        print(
            f"a poll {name:22} {took[1]:6.1f} ms (quarters {took[0]:.1f}–{took[2]:.1f}), CPU {cpu[1]:6.1f} ms; "
            f"other threads meanwhile {meanwhile[1]:4.1f} ms ({len(found)} polls, {asked:.0f} requests/s)"
        )


class Other(BaseHTTPRequestHandler):
    """Answers as much as the overview is, and does nothing for it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "100000")
        self.end_headers()
        self.wfile.write(b"x" * 100_000)

    def log_message(self, format: str, *args: object) -> None:
        pass


def serve_other() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()


def ask(rate: float, cookie: str) -> None:
    """The other process: so many requests a second over five connections to the place that a line names, or none."""
    state, sent = {"place": ""}, [0] * 5

    def one(number: int) -> None:
        connection: HTTPConnection | None = None
        while True:
            began, place = perf_counter(), state["place"]
            if not place:
                connection = None
                sleep(0.02)
                continue
            connection = connection or HTTPConnection(urlsplit(place).netloc, timeout=60)
            connection.request("GET", PATHS[sent[number] % len(PATHS)], headers={"cookie": cookie})
            answer = connection.getresponse()
            assert answer.status == 200 and len(answer.read()) > 1000  # noqa: PT018  # a bench, not a test
            sent[number] += 1
            sleep(max(0.0, 5 / rate - (perf_counter() - began)))

    for number in range(5):
        threading.Thread(target=one, args=(number,), daemon=True).start()
    for line in sys.stdin:
        if state["place"] and not line.strip():
            print(sum(sent), flush=True)
        state["place"] = line.strip()
        sent[:] = [0] * 5


if __name__ == "__main__":
    main()
