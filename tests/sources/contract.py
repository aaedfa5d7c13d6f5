"""What every kind of source is checked with: one rig each, which plays the world that the kind reads from."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from flowy_watch.sources.api import ApiSource
from flowy_watch.sources.base import Source

from .conftest import TOKEN
from .server import FakeTime, Reply, Server, key, listed, workspace


class Rig(Protocol):
    options: dict[str, Any]
    """A complete configuration of this kind, with `secret` in it where it takes one."""
    secret: str
    source: Source

    def list_keys(self, count: int) -> None:
        """From now on the source's world lists this many good keys, `key_1` and so on."""

    def spoil_one(self) -> None:
        """Of two keys, `key_2` cannot be believed."""

    def break_down(self) -> None:
        """Whatever the source reads from is gone."""


class ApiRig:
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


RIGS: dict[str, Callable[[], AbstractContextManager[Rig]]] = {"api": api_rig}
