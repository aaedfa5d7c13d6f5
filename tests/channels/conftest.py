"""Channels that are closed when the test ends, and no proxy between them and the loopback."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from flowy_watch.channels.base import Channel

from .rigs import open_channel

Open = Callable[..., Channel]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def open_as(stack: ExitStack) -> Open:
    def open_as(kind: str, options: dict[str, Any], patience: float = 5.0) -> Channel:
        return open_channel(stack, kind, options, patience=patience)

    return open_as
