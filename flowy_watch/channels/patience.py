"""One time limit over a whole request, whatever the other side does in between."""

import socket
from collections.abc import Mapping
from contextlib import suppress
from threading import Timer
from typing import Any, Self


class Patience:
    """Hangs up on a request that takes longer than it may in all: httpx bounds each of its steps, not their sum."""

    def __init__(self, seconds: float) -> None:
        self._stream: Any = None
        self._timer = Timer(seconds, self._hang_up)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by httpcore at each step of a request."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._stream = info["return_value"]

    def _hang_up(self) -> None:
        if self._stream:
            with suppress(OSError):  # it may have ended just now
                # Not the method of SSLSocket, which would pull the session away from under the thread that reads.
                socket.socket.shutdown(self._stream.get_extra_info("socket"), socket.SHUT_RDWR)
