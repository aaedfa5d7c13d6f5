"""The ledger as its users see it: the meter adds batches, the daemon reads, both keep blocks and prices."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from flowy_watch.core.usage import DAY, Microcredits, clean_name, day_start
from flowy_watch.errors import NotFound
from flowy_watch.ledger.batch import COLUMNS, Batch, Counts
from flowy_watch.ledger.file import BUSY_SECONDS, LedgerFile, instant, ms
from flowy_watch.ledger.values import (
    AppSeen,
    Block,
    FiveMinutes,
    KeyUse,
    OriginSeen,
    Price,
    PriceSource,
)
from flowy_watch.ledger.writing import write_batch

KEPT = timedelta(days=35)
_UNUSED = timedelta(days=7)  # after which a key that nobody ever accepted is forgotten
_UNSEEN = timedelta(days=180)  # after which an origin or app is new again
_SUMS = ", ".join(f"sum(counts.{column})" for column in COLUMNS)
_COLUMNS = ", ".join(COLUMNS)


class Ledger:
    """May be used from any thread; every call is a transaction of its own and raises `StoreError` when it fails."""

    def __init__(self, path: Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        """Touches nothing yet. `busy_seconds` is how long a write waits for another process's."""
        self._file = LedgerFile(path, busy_seconds=busy_seconds)
        self.path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, batch: Batch) -> None:
        with self._file.write() as connection:
            write_batch(connection, batch)

    def keys(self, day: date) -> tuple[KeyUse, ...]:
        """Every key ever seen, with its counts of that UTC day, the longest known first."""
        start, end = ms(day_start(day)), ms(day_start(day) + DAY)
        with self._file.read() as connection:
            sums = {
                row[0]: Counts(*row[1:])
                for row in connection.execute(
                    f"SELECT fingerprint, {_SUMS} FROM counts WHERE bucket_ms >= ? AND bucket_ms < ? "  # noqa: S608
                    "GROUP BY fingerprint",
                    (start, end),
                )
            }
            rows = connection.execute(
                "SELECT fingerprint, last_four, name, first_seen_ms, used_ms, refused_ms FROM key "
                "ORDER BY first_seen_ms, fingerprint"
            ).fetchall()
        return tuple(
            KeyUse(
                fingerprint,
                last_four,
                name,
                instant(first),
                _maybe(used),
                _maybe(refused),
                sums.get(fingerprint) or Counts(),
            )
            for fingerprint, last_four, name, first, used, refused in rows
        )

    def five_minutes(self, since: datetime, until: datetime) -> tuple[FiveMinutes, ...]:
        """Whole buckets that began in [since, until), the oldest first; also those of `NO_KEY` and `OTHER`."""
        with self._file.read() as connection:
            rows = connection.execute(
                f"SELECT bucket_ms, fingerprint, app_id, {_COLUMNS} FROM counts "  # noqa: S608  # our columns
                "WHERE bucket_ms >= ? AND bucket_ms < ? ORDER BY bucket_ms, fingerprint, app_id",
                (ms(since), ms(until)),
            ).fetchall()
        return tuple(FiveMinutes(instant(row[0]), row[1], row[2], Counts(*row[3:])) for row in rows)

    def runs_between(self, since: datetime, until: datetime) -> dict[str, int]:
        """How many runs of each app were accepted in [since, until), by every key together, to the millisecond."""
        with self._file.read() as connection:
            return dict(
                connection.execute(
                    "SELECT app_id, count(*) FROM run WHERE started_ms >= ? AND started_ms < ? GROUP BY app_id",
                    (ms(since), ms(until)),
                ).fetchall()
            )

    def runs_counted(self, since: datetime) -> dict[str, int]:
        """As `runs_between`, to five minutes, and however many there are at once."""
        with self._file.read() as connection:
            return dict(
                connection.execute(
                    "SELECT app_id, sum(runs) FROM counts WHERE bucket_ms >= ? GROUP BY app_id", (ms(since),)
                ).fetchall()
            )

    def prices_for(self, fingerprint: str) -> tuple[Price, ...]:
        """Those of the apps that a key was seen to run."""
        with self._file.read() as connection:
            rows = connection.execute("SELECT app_id FROM app_seen WHERE fingerprint = ?", (fingerprint,)).fetchall()
        ran = {app_id for (app_id,) in rows}
        return tuple(price for price in self.prices() if price.app_id in ran)

    def apps(self) -> tuple[AppSeen, ...]:
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT fingerprint, app_id, first_ms, last_ms, runs FROM app_seen ORDER BY first_ms, app_id"
            ).fetchall()
        return tuple(
            AppSeen(fingerprint, app_id, instant(first), instant(last), runs)
            for fingerprint, app_id, first, last, runs in rows
        )

    def origins(self) -> tuple[OriginSeen, ...]:
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT fingerprint, address, user_agent, first_ms, last_ms, requests, runs FROM origin_seen "
                "ORDER BY first_ms, address"
            ).fetchall()
        return tuple(
            OriginSeen(fingerprint, address, agent, instant(first), instant(last), requests, runs)
            for fingerprint, address, agent, first, last, requests, runs in rows
        )

    def blocks(self) -> tuple[Block, ...]:
        with self._file.read() as connection:
            rows = connection.execute("SELECT fingerprint, at_ms, by, why FROM block ORDER BY at_ms").fetchall()
        return tuple(Block(fingerprint, instant(at), by, why) for fingerprint, at, by, why in rows)

    def block(self, fingerprint: str, *, by: str, why: str, now: datetime) -> None:
        """The first block of a key holds, with who set it and why."""
        with self._file.write() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO block VALUES (?, ?, ?, ?)",
                (fingerprint, ms(now), clean_name(by), clean_name(why)),
            )

    def unblock(self, fingerprint: str) -> None:
        """Raises NotFound where there is no such block."""
        with self._file.write() as connection:
            found = connection.execute("DELETE FROM block WHERE fingerprint = ?", (fingerprint,)).rowcount
        if not found:
            raise NotFound(f"the key {fingerprint} is not blocked")

    def prices(self) -> tuple[Price, ...]:
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT app_id, price_microcredits, low_microcredits, high_microcredits, source FROM price "
                "ORDER BY app_id"
            ).fetchall()
        return tuple(Price(app_id, price, low, high, PriceSource(source)) for app_id, price, low, high, source in rows)

    def configure_prices(self, prices: dict[str, Microcredits]) -> None:
        """Exactly these are configured from now on, in place of learned ones."""
        with self._file.write() as connection:
            connection.execute("DELETE FROM price WHERE source = 'configured'")
            connection.executemany(
                "INSERT OR REPLACE INTO price VALUES (?, ?, ?, ?, 'configured')",
                [(app_id, price, price, price) for app_id, price in prices.items()],
            )

    def learn_prices(self, prices: Iterable[Price]) -> None:
        """What is configured stays as it is."""
        with self._file.write() as connection:
            connection.executemany(
                """INSERT INTO price VALUES (?, ?, ?, ?, 'learned') ON CONFLICT DO UPDATE SET
                       price_microcredits = excluded.price_microcredits,
                       low_microcredits = excluded.low_microcredits, high_microcredits = excluded.high_microcredits
                   WHERE source = 'learned'""",
                [(each.app_id, each.price, each.low, each.high) for each in prices],
            )

    def prune(self, now: datetime) -> None:
        """Forget counts and runs after 35 days, keys never accepted after 7, origins and apps not seen for 180."""
        with self._file.write() as connection:
            connection.execute("DELETE FROM counts WHERE bucket_ms < ?", (ms(now - KEPT),))
            connection.execute("DELETE FROM run WHERE started_ms < ?", (ms(now - KEPT),))
            connection.execute("DELETE FROM key WHERE used_ms IS NULL AND refused_ms < ?", (ms(now - _UNUSED),))
            connection.execute("DELETE FROM app_seen WHERE last_ms < ?", (ms(now - _UNSEEN),))
            connection.execute("DELETE FROM origin_seen WHERE last_ms < ?", (ms(now - _UNSEEN),))

    def version(self) -> tuple[int, int]:
        """Another one whenever somebody else wrote since; costs microseconds, for asking at every request."""
        return self._file.version()

    def close(self) -> None:
        self._file.close()


def _maybe(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else instant(at_ms)
