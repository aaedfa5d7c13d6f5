"""What every kind of source is checked with: one rig each, which plays the world that the kind reads from."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from flowy_watch.ledger import Batch, Counts, Ledger, bucket_of, fingerprint_of
from flowy_watch.ledger.batch import KeySeen
from flowy_watch.sources.api import ApiSource
from flowy_watch.sources.base import Source
from flowy_watch.sources.export import FileSource
from flowy_watch.sources.meter import MeterSource
from flowy_watch.sources.probe import ProbeSource

from .conftest import TOKEN
from .server import NOON, FakeTime, Reply, Server, key, listed, workspace


class Rig(Protocol):
    options: dict[str, Any]
    """A complete configuration of this kind, with `secret` in it where it takes one."""
    secret: str
    source: Source

    def id_of(self, number: int) -> str:
        """What the source calls the key of this number; `key_1` where it is free to."""
        return f"key_{number}"

    def list_keys(self, count: int) -> None:
        """From now on the source's world lists this many good keys, `key_1` and so on."""

    def spoil_one(self) -> None:
        """Of two keys, `key_2` cannot be believed."""

    def break_down(self) -> None:
        """Whatever the source reads from is gone."""


class ApiRig(Rig):
    secret = TOKEN

    def __init__(self, server: Server, time: FakeTime) -> None:
        self.options = {"base_url": server.url, "token": TOKEN}
        self.source: Source = ApiSource(
            ApiSource.Config(**self.options), clock=time, wait=time.wait, monotonic=time.monotonic
        )
        self._scripts = server.scripts

    def list_keys(self, count: int) -> None:
        self._scripts |= {"/keys": listed(*(key(n) for n in range(1, count + 1))), "/workspace": workspace()}

    def spoil_one(self) -> None:
        self._scripts |= {"/keys": listed(key(1), key(2, spentToday=None)), "/workspace": workspace()}

    def break_down(self) -> None:
        self._scripts |= {"/keys": Reply({"error": f"{TOKEN} broke"}, 500)}


@contextmanager
def api_rig() -> Iterator[Rig]:
    time = FakeTime()
    server = Server(time)
    rig = ApiRig(server, time)
    try:
        yield rig
    finally:
        rig.source.close()
        server.close()


class MeterRig(Rig):
    secret = TOKEN

    def __init__(self, folder: Path) -> None:
        self._path = folder / "meter.db"
        self.options: dict[str, Any] = {"ledger": self._path, "busy": timedelta(seconds=0.1)}
        self.source: Source = MeterSource(MeterSource.Config(**self.options))

    def list_keys(self, count: int) -> None:
        self._write([(f"key_{n}", 5_000_000) for n in range(1, count + 1)])

    def spoil_one(self) -> None:
        self._write([("key_1", 5_000_000), ("key_2", -1)])

    def break_down(self) -> None:
        self.source.close()
        self._path.write_text(f"{TOKEN} was here")

    def _write(self, spends: list[tuple[str, int]]) -> None:
        self._path.unlink(missing_ok=True)
        ledger = Ledger(self._path)
        for key_id, spent in spends:
            counts = {(key_id, bucket_of(NOON), "poster"): Counts(requests=1, runs=1, spent=spent)}
            ledger.add(Batch(counts, {key_id: KeySeen(NOON, "WXYZ", used_at=NOON)}))
        ledger.close()


@contextmanager
def meter_rig() -> Iterator[Rig]:
    with TemporaryDirectory() as folder:
        rig = MeterRig(Path(folder))
        try:
            yield rig
        finally:
            rig.source.close()


class ProbeRig(Rig):
    secret = TOKEN

    def __init__(self, server: Server, time: FakeTime, folder: Path) -> None:
        self._server, self._time, self._folder, self._worlds = server, time, folder, 0
        self.list_keys(1)

    def id_of(self, number: int) -> str:
        return fingerprint_of(self._token(number))

    def _token(self, number: int) -> str:
        return TOKEN if number == 1 else f"{TOKEN}{number}"

    def list_keys(self, count: int) -> None:
        self._begin(count, spoilt=0)

    def spoil_one(self) -> None:
        self._begin(2, spoilt=2)

    def break_down(self) -> None:
        self._time.move(timedelta(minutes=1))
        self._server.scripts["/apps"] = Reply({"error": f"{TOKEN} broke"}, 500)

    def _begin(self, count: int, spoilt: int) -> None:
        if self._worlds:
            self.source.close()
        self._worlds += 1
        bad = f"Bearer {self._token(spoilt)}"
        self._server.scripts["/apps"] = lambda request: (
            Reply({"error": "no"}, 500) if request.headers["authorization"] == bad else APPS
        )
        keys = {f"prod-{n}": {"token": self._token(n)} for n in range(1, count + 1)}
        memory = self._folder / f"{self._worlds}.json"
        self.options: dict[str, Any] = {"base_url": self._server.url, "keys": keys, "memory": memory}
        config = ProbeSource.Config(**self.options)
        self.source: Source = ProbeSource(config, self._time, monotonic=self._time.monotonic)


class FileRig(Rig):
    secret = TOKEN

    def __init__(self, folder: Path) -> None:
        self._path = folder / "usage.csv"
        self.options: dict[str, Any] = {"path": self._path}
        self.source: Source = FileSource(FileSource.Config(**self.options))

    def id_of(self, number: int) -> str:
        return "line 3" if number == 2 and "much" in self._path.read_text() else f"key_{number}"

    def list_keys(self, count: int) -> None:
        self._write(*(f"key_{n},{NOON.isoformat()},5" for n in range(1, count + 1)))

    def spoil_one(self) -> None:
        self._write(f"key_1,{NOON.isoformat()},5", f"key_2,{NOON.isoformat()},much")

    def break_down(self) -> None:
        self._write(f"{TOKEN} was here")

    def _write(self, *lines: str) -> None:
        self._path.write_text("\n".join(("key_id,at,spent_today", *lines)))


@contextmanager
def file_rig() -> Iterator[Rig]:
    with TemporaryDirectory() as folder:
        yield FileRig(Path(folder))


APPS = Reply(
    {"data": [{"id": "app_1", "slug": "photo", "runCount": 5}]},
    headers={"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "59", "X-RateLimit-Reset": "1773144060"},
)


@contextmanager
def probe_rig() -> Iterator[Rig]:
    time = FakeTime()
    server = Server(time)
    with TemporaryDirectory() as folder:
        rig = ProbeRig(server, time, Path(folder))
        try:
            yield rig
        finally:
            rig.source.close()
            server.close()


RIGS: dict[str, Callable[[], AbstractContextManager[Rig]]] = {
    "file": file_rig,
    "api": api_rig,
    "meter": meter_rig,
    "probe": probe_rig,
}
