"""One whole poll (pull, store, detect, reconcile) beside a floor measured in the same run.

The floor fetches the same pages with http.client on one connection, parses them with orjson and writes one row per
key with raw sqlite3 executemany in one transaction under the same pragmas. Detection alone (moving the histories and
asking every detector) is held against writing the poll's snapshots and reading them back, both with raw sqlite3 and
both in CPU time, since one of them waits for the disk.
Run: python bench/poll.py [KEYS ...]
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
from threading import Event, Thread
from time import perf_counter, thread_time
from urllib.parse import parse_qs, urlsplit

import orjson

from flowy_watch.app import App, build_app, build_detectors
from flowy_watch.core.baseline import Baseline, hour_number
from flowy_watch.core.history import History
from flowy_watch.core.usage import CREDIT, Reading, Snapshot
from flowy_watch.core.watch import Watch
from flowy_watch.core.workspace import Health
from flowy_watch.daemon import look_for_garbage_rarely
from flowy_watch.detectors import View
from flowy_watch.jobs.replay import replay
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


def floor_of_snapshots(database: sqlite3.Connection, rows: list[tuple[object, ...]]) -> list[object]:
    """Writes what a reading brought, and reads it back."""
    (last,) = database.execute("SELECT max(rowid) FROM snapshots").fetchone()
    database.execute("BEGIN IMMEDIATE")
    database.executemany("INSERT INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    database.execute("COMMIT")
    return database.execute("SELECT * FROM snapshots WHERE rowid > ?", (last or 0,)).fetchall()


def timed(work: Callable[[], object], clock: Callable[[], float] = perf_counter) -> float:
    began = clock()
    work()
    return clock() - began


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
    detections, kept = measure_detection(app, raw, pages, now + timedelta(minutes=ROUNDS + 2), usual)
    app.close()
    server.shutdown()
    mine, least = statistics.median(ours[2:]), statistics.median(floors[2:])
    print(
        f"{keys:>6} keys, {polls} polls of history: poll {mine * 1000:7.1f} ms, floor {least * 1000:6.1f} ms, "
        f"ratio {mine / least:.2f} (first poll, cold: {ours[0] * 1000:.0f} ms); CPU of detection "
        f"{detections * 1000:.1f} ms, of its snapshots {kept * 1000:.1f} ms, ratio {detections / kept:.2f}"
    )


def measure_detection(
    app: App, raw: sqlite3.Connection, pages: Pages, start: datetime, usual: float
) -> tuple[float, float]:
    """Median CPU seconds of detection in one poll, and of writing and reading its snapshots."""
    watch = replay(app.store, leaving=Event()).watch
    detectors, rests = build_detectors(app.settings), app.settings.rests_until
    raw.execute("CREATE TABLE snapshots (at, key, spent, cap, used, status, rate)")
    detections, kept = [], []
    for n in range(ROUNDS + 2):
        at = start + timedelta(minutes=n)
        pages.turn(at, usual + (ROUNDS + 2 + n) / 2)
        reading = app.source.pull(at)

        def detect(at: datetime = at, reading: Reading = reading) -> None:
            new = watch.add(reading)
            view = View(
                at, watch.listed, watch.workspace, Health(good=True), app.settings.rules_of, new, rests_until=rests
            )
            for detector in detectors:
                list(detector.examine(view))

        columns, stamp = reading.columns, at.isoformat()
        used = [moment and moment.isoformat() for moment in columns.last_used_at]
        stamps = [stamp] * len(used)
        snapshots = zip(
            stamps,
            columns.key_id,
            columns.spent,
            columns.daily_cap,
            used,
            columns.status,
            columns.rate_limit,
            strict=True,
        )
        kept.append(timed(lambda rows=list(snapshots): floor_of_snapshots(raw, rows), thread_time))  # type: ignore[misc]
        detections.append(timed(detect, thread_time))
    return statistics.median(detections[2:]), statistics.median(kept[2:])


def main() -> None:
    configure("error", "console", [])
    look_for_garbage_rarely()  # as the daemon does
    with tempfile.TemporaryDirectory() as folder:
        for keys in [int(word) for word in sys.argv[1:]] or [50, 1000, 10_000]:
            measure(keys, Path(folder))


if __name__ == "__main__":
    main()
