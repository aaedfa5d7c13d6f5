"""A scripted server, a time that only waiting moves, and an api source between the two."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from flowy_watch.sources.api import ApiSource

from .server import FakeTime, Server, key, listed, workspace

TOKEN = "wst_Zq81kfPp0277xLmA"
MakeSource = Callable[..., ApiSource]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def server(time: FakeTime) -> Iterator[Server]:
    server = Server(time)
    server.scripts |= {"/keys": listed(key(1), key(2)), "/workspace": workspace()}
    yield server
    server.close()


@pytest.fixture
def make(server: Server, time: FakeTime) -> Iterator[MakeSource]:
    with ExitStack() as stack:

        def build(**options: Any) -> ApiSource:
            config = ApiSource.Config(**({"base_url": server.url, "token": TOKEN} | options))
            source = ApiSource(config, clock=time, wait=time.wait, monotonic=time.monotonic)
            stack.callback(source.close)
            return source

        yield build


@pytest.fixture
def source(make: MakeSource) -> ApiSource:
    return make()
