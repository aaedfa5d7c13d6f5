"""A server on loopback that answers as each test scripts it, after the usage contract we assume and nothing else."""

import json
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@dataclass
class FakeTime:
    """Clock, monotonic clock and wait in one: waiting moves both on, and nobody sleeps."""

    at: datetime = NOON
    passed: float = 0.0
    waits: list[timedelta] = field(default_factory=list)
    speed: float = 1.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.passed

    def wait(self, pause: timedelta) -> None:
        self.waits.append(pause)
        self.move(pause)

    def move(self, by: timedelta) -> None:
        self.at += by
        self.passed += by.total_seconds()


@dataclass(frozen=True)
class Request:
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass
class Reply:
    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: Iterable[bytes] | None = None
    """Written to the socket as it is, in place of everything else, and the connection closed."""

    def bytes(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Script = Reply | list[Reply] | Callable[[Request], Reply]


class Server:
    """Answers each path by its script; the last reply of a list is repeated. Keeps every request."""

    def __init__(self, time: FakeTime | None) -> None:
        self.scripts: dict[str, Script] = {}
        self.requests: list[Request] = []
        self.connections = 0
        self.time = time
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else every answer takes 40 ms

            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def do_GET(self) -> None:
                with suppress(ConnectionError):
                    outer._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        url = urlsplit(handler.path)
        request = Request(url.path, dict(parse_qsl(url.query)), {k.lower(): v for k, v in handler.headers.items()})
        self.requests.append(request)
        script = self.scripts.get(request.path, Reply({"error": "not found"}, 404))
        if isinstance(script, list):
            reply = script.pop(0) if len(script) > 1 else script[0]
        else:
            reply = script if isinstance(script, Reply) else script(request)
        if reply.raw is not None:
            self._write_raw(handler, reply.raw)
            return
        body = reply.bytes()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        if self.time is not None:
            headers["Date"] = format_datetime(self.time.now(), usegmt=True)
        handler.send_response_only(reply.status)
        for name, value in (headers | reply.headers).items():
            if value:
                handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def _write_raw(self, handler: BaseHTTPRequestHandler, chunks: Iterable[bytes]) -> None:
        handler.close_connection = True
        for chunk in chunks:
            handler.wfile.write(chunk)
            handler.wfile.flush()
        with suppress(OSError):
            handler.connection.shutdown(socket.SHUT_RDWR)


def key(number: int = 1, **changes: Any) -> dict[str, Any]:
    """One listed key, as the contract has it. A field set to ... is left out."""
    item = {
        "id": f"key_{number}",
        "name": f"prod-{number}",
        "prefix": f"flw_sk_…{number:04d}",
        "status": "active",
        "createdAt": "2026-01-02T03:04:05Z",
        "lastUsedAt": "2026-03-10T11:59:00Z",
        "dailySpendCap": 100,
        "rateLimitPerMinute": None,
        "spentToday": 12.5,
    }
    return {name: value for name, value in (item | changes).items() if value is not ...}


def pages(items: list[Any], size: int) -> Callable[[Request], Reply]:
    """The list of keys, `size` at a time, each page leading to the next."""

    def page(request: Request) -> Reply:
        start = int(request.query.get("cursor", "0"))
        more = start + size < len(items)
        return Reply({"data": items[start : start + size], "nextCursor": str(start + size) if more else None})

    return page


def listed(*items: Any) -> Reply:
    return Reply({"data": list(items), "nextCursor": None})


def workspace(balance: Any = 5000, **changes: Any) -> Reply:
    return Reply({"data": {"id": "ws_1", "name": "Studio", "creditBalance": balance} | changes})
