"""Building a digest beside the plain SQL that it needs, then rendering it.

The floor runs the same sums with raw sqlite3 on the same file and fetches every row, and does nothing with them. Run:
python bench/digest.py [KEYS ...]
"""

import random
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import perf_counter
from zoneinfo import ZoneInfo

from sqlalchemy import event

from flowy_watch.core.digest import Digest
from flowy_watch.core.edition import Edition, Issue
from flowy_watch.core.message import Dialect, EmailMessage
from flowy_watch.core.period import Period
from flowy_watch.jobs.digest import digest_of
from flowy_watch.render import Reader, Renderer
from flowy_watch.store import Store

WEEK, DAYS, ROUNDS = Period.parse("2026-W47"), 35, 7
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


def main() -> None:
    for keys in [int(word) for word in sys.argv[1:]] or [50, 1000, 10_000]:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder) / "watch.db", keys)


def measure(file: Path, keys: int) -> None:
    store = Store(f"sqlite:///{file}")
    store.migrate()
    fill(file, keys)
    made: list[Digest] = []
    statements = statements_of(store, lambda: made.append(build(store)))
    floor, ours = pairs(lambda: run_plain(file, statements), lambda: build(store))
    renderer = Renderer(Reader("Bench", "https://example.com/keys", ZoneInfo("Europe/Madrid")))
    issue = Issue(Edition("mail", "ana@example.com"), made[0])
    mails: list[EmailMessage] = []
    rendered = median(lambda: mails.append(mail(renderer, issue)))
    size = sum(len(enclosure.content) for enclosure in mails[0].enclosures)
    html = len(mails[0].html.encode())
    print(
        f"{keys:6,} keys: built in {ours * 1000:7.1f} ms, plain SQL {floor * 1000:7.1f} ms, ratio {ours / floor:.2f}; "
        f"mail {rendered * 1000:.0f} ms, HTML {html / 1000:.0f} kB, beside it {size / 1000:.0f} kB"
    )
    store.close()


def build(store: Store) -> Digest:
    with store.read() as work:
        return digest_of(work, WEEK, owner_of=lambda _, __: "", now=NOW, late_by=timedelta(0))


def mail(renderer: Renderer, issue: Issue) -> EmailMessage:
    told = renderer.render_digest(issue, Dialect.EMAIL)
    assert isinstance(told, EmailMessage)
    return told


def statements_of(store: Store, work: Callable[[], None]) -> list[tuple[str, tuple[object, ...]]]:
    """What the digest asks the database, word for word."""
    found: list[tuple[str, tuple[object, ...]]] = []

    def note(_c: object, _u: object, statement: str, parameters: tuple[object, ...], *_more: object) -> None:
        found.append((statement, parameters))

    event.listen(store.database.engine, "before_cursor_execute", note)
    work()
    event.remove(store.database.engine, "before_cursor_execute", note)
    return [one for one in found if one[0].lstrip().startswith("SELECT")]


def run_plain(file: Path, statements: list[tuple[str, tuple[object, ...]]]) -> None:
    connection = sqlite3.connect(file)
    for statement, parameters in statements:
        connection.execute(statement, parameters).fetchall()
    connection.close()


def pairs(floor: Callable[[], object], ours: Callable[[], object]) -> tuple[float, float]:
    """Medians, taken in turn so that both see the same machine."""
    times = [(clocked(floor), clocked(ours)) for _ in range(ROUNDS)]
    return statistics.median(t[0] for t in times), statistics.median(t[1] for t in times)


def median(work: Callable[[], object]) -> float:
    return statistics.median(clocked(work) for _ in range(3))


def clocked(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def fill(file: Path, keys: int) -> None:
    """Five weeks of days of every key, a third of them with a cap, and a balance every five minutes."""
    dice = random.Random(1)
    first = WEEK.end - timedelta(days=DAYS)
    connection = sqlite3.connect(file)
    connection.executemany(
        "INSERT INTO keys (key_no, key_id, name, last_four, first_seen_at) VALUES (?, ?, ?, ?, ?)",
        [(n, f"key_{n}", f"key {n}", "4f2a", f"{first} 00:00:00.000000") for n in range(1, keys + 1)],
    )
    for day in (first + timedelta(days=n) for n in range(DAYS)):
        connection.executemany("INSERT INTO daily_snapshots VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows(day, keys, dice))
    minutes = [datetime.combine(first, datetime.min.time()) + timedelta(minutes=5 * n) for n in range(DAYS * 288)]
    connection.executemany(
        "INSERT INTO balances VALUES (?, ?)", [(f"{at}.000000", 10**15 - n * 10**9) for n, at in enumerate(minutes)]
    )
    connection.executemany(
        "INSERT INTO polls (kind, taken_at, outcome, reason, refused, keys, skipped) "
        "VALUES ('live', ?, 'good', '', 0, ?, 0)",
        [(f"{at}.000000", keys) for at in minutes],
    )
    connection.commit()
    connection.close()


def rows(day: date, keys: int, dice: random.Random) -> list[tuple[object, ...]]:
    return [
        (f"{day}", n, dice.randrange(10**9), None if n % 3 else 10**10, f"{day} 12:00:00.000000", "active", 288,
         f"{day} 23:59:50.000000", 1)
        for n in range(1, keys + 1)
    ]  # fmt: skip


if __name__ == "__main__":
    main()
