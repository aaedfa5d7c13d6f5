"""One whole poll (pull, store, detect, reconcile) beside a floor measured in the same run.

The floor fetches the same pages with http.client on one connection, parses them with orjson and writes one row per
key with raw sqlite3 executemany in one transaction under the same pragmas. Run: python bench/poll.py [KEYS ...]
"""

import http.client
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import perf_counter
from urllib.parse import parse_qs, urlsplit

import orjson

from flowy_watch.app import build_app
from flowy_watch.core.baseline import Baseline, hour_number
from flowy_watch.core.history import History
from flowy_watch.core.usage import CREDIT, Reading, Snapshot
from flowy_watch.core.watch import Watch
from flowy_watch.daemon import look_for_garbage_rarely
from flowy_watch.log import configure
from flowy_watch.settings import parse
from flowy_watch.store import Store
from flowy_watch.store.usage import IMPORTED

PAGE, ROUNDS, HISTORY = 500, 9, timedelta(days=35)


class Pages:
    """Ready-made pages of the usage contract, so that serving them costs both sides the same and little."""

    def __init__(self, keys: int) -> None:
        self.keys, self.bodies = keys, dict[str, bytes]()

    def turn(self, now: datetime, spent: float) -> None:
        stamp = now.isoformat().replace("+00:00", "Z")
        bodies = {"/workspace": orjson.dumps({"data": {"id": "ws", "name": "bench", "creditBalance": 10**9}})}
        for start in range(0, self.keys, PAGE):
            end = start + PAGE
            bodies[f"/keys{start or ''}"] = orjson.dumps(
                {
                    "data": [self._key(n, stamp, spent) for n in range(start, min(end, self.keys))],
                    "nextCursor": str(end) if end < self.keys else None,
                }
            )
        self.bodies = bodies

    def _key(self, n: int, stamp: str, spent: float) -> dict[str, object]:
        return {
            "id": f"key_{n:06d}",
            "name": f"service-{n}",
            "prefix": "flw_sk_…a1b2",
            "status": "active",
            "createdAt": "2026-01-01T00:00:00Z",
            "lastUsedAt": stamp,
            "dailySpendCap": 100_000,
            "rateLimitPerMinute": 60,
            "spentToday": spent + n % 7,
        }


def serve(pages: Pages) -> tuple[ThreadingHTTPServer, str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            body = pages.bodies[url.path + parse_qs(url.query).get("cursor", [""])[0]]
            self.send_response_only(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    return server, f"127.0.0.1:{server.server_port}"


def fill(store: Store, keys: int, until: datetime, every: timedelta) -> int:
    """History straight through the store: `every` is chosen so that filling takes seconds, not hours.

    Every key gets the same five weeks of hourly baseline, as a daemon that had watched for so long would have it.
    """
    times = [until - n * every for n in range(int(HISTORY / every), -1, -1)]
    for start in range(0, len(times), 10):
        with store.write() as work:
            numbers = work.usage.numbers()
            for at in times[start : start + 10]:
                spent = int((at.hour + at.minute / 60) * 40 * CREDIT)
                snapshots = tuple(
                    Snapshot(f"key_{n:06d}", f"service-{n}", at, spent, at, 100_000 * CREDIT) for n in range(keys)
                )
                poll = work.usage.add_poll(at, "good", kind=IMPORTED, keys=keys)
                work.usage.add_snapshots(poll, Reading(at, snapshots), numbers)
    learned = Baseline()
    end = hour_number(until)
    for hour in range(end - int(HISTORY.total_seconds()) // 3600, end):
        learned.learn(hour, 40.0 + hour % 7)
    packed, watch = learned.pack(), Watch()
    for snapshot in snapshots:
        watch.histories[snapshot.key_id] = History(snapshot, Baseline.unpack(packed))
    watch.taken_at = until
    with store.write() as work:
        work.usage.save_states(watch, work.usage.numbers())
    return len(times)


def floor(address: str, database: sqlite3.Connection, stamp: str) -> None:
    connection = http.client.HTTPConnection(address)
    rows, cursor = [], ""
    connection.request("GET", "/workspace")
    orjson.loads(connection.getresponse().read())
    while True:
        connection.request("GET", f"/keys?limit={PAGE}" + (f"&cursor={cursor}" if cursor else ""))
        page = orjson.loads(connection.getresponse().read())
        rows += [
            (stamp, k["id"], k["spentToday"], k["dailySpendCap"], k["lastUsedAt"], k["status"], k["rateLimitPerMinute"])
            for k in page["data"]
        ]
        if not (cursor := page["nextCursor"]):
            break
    database.execute("BEGIN IMMEDIATE")
    database.executemany("INSERT INTO floor VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    database.execute("COMMIT")
    connection.close()


def timed(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def measure(keys: int, folder: Path) -> None:
    pages = Pages(keys)
    now = datetime.now(UTC).replace(minute=10, second=0, microsecond=0)
    usual = (now.hour + now.minute / 60) * 40  # as on the days before
    pages.turn(now, usual)
    server, address = serve(pages)
    settings = f'store.url = "sqlite:///{folder}/{keys}.db"\n[source]\nbase_url = "http://{address}"\ntoken = "bench"\n'
    app = build_app(parse(settings, environ={}))
    every = timedelta(hours=1) if keys <= 1000 else timedelta(hours=6)
    polls = fill(app.store, keys, now - timedelta(minutes=1), every)
    raw = sqlite3.connect(folder / f"{keys}-floor.db", isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"):
        raw.execute(statement)
    raw.execute("CREATE TABLE floor (at, key, spent, cap, used, status, rate)")
    ours, floors = [], []
    for n in range(ROUNDS + 2):
        at = now + timedelta(minutes=n)
        pages.turn(at, usual + n / 2)
        floors.append(timed(lambda at=at: floor(address, raw, at.isoformat())))  # type: ignore[misc]
        ours.append(timed(lambda at=at: app.poll.run(at)))  # type: ignore[misc]
    app.close()
    server.shutdown()
    mine, least = statistics.median(ours[2:]), statistics.median(floors[2:])
    print(
        f"{keys:>6} keys, {polls} polls of history: poll {mine * 1000:7.1f} ms, floor {least * 1000:6.1f} ms, "
        f"ratio {mine / least:.2f} (first poll, cold: {ours[0] * 1000:.0f} ms)"
    )


def main() -> None:
    configure("error", "console", [])
    look_for_garbage_rarely()  # as the daemon does
    with tempfile.TemporaryDirectory() as folder:
        for keys in [int(word) for word in sys.argv[1:]] or [50, 1000, 10_000]:
            measure(keys, Path(folder))


if __name__ == "__main__":
    main()
