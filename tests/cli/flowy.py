"""A Flowy on loopback, written from the documented contract alone: it shares no code with the product's simulator."""

import json
import threading
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

PAGE = 10


@dataclass
class Key:
    id: str
    name: str
    prefix: str
    status: str
    createdAt: str  # noqa: N815  # the contract's own spelling
    lastUsedAt: str | None  # noqa: N815
    dailySpendCap: float | None  # noqa: N815
    rateLimitPerMinute: int | None  # noqa: N815
    spentToday: float  # noqa: N815


def instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def key(
    number: int, name: str, *, used: datetime | None, made: datetime, spent: float = 0.0, cap: float | None = 1000.0
) -> Key:
    prefix = f"flw_sk_…{number:04d}"
    return Key(f"key_{number:02d}", name, prefix, "active", instant(made), used and instant(used), cap, None, spent)


class Flowy:
    """`with Flowy(token, now) as flowy: … flowy.keys["prod-render"].spentToday = 970`. 25 keys, ten to a page."""

    def __init__(self, token: str, now: datetime) -> None:
        self.token, self.balance, self.refuses, self.requests = token, 100_000.0, 0, list[str]()
        self.answers = threading.Event()  # cleared: every request waits
        self.answers.set()
        names = ["prod-render", "old-import", *(f"team-{number:02d}" for number in range(3, 26))]
        hour, year = now - timedelta(hours=1), now - timedelta(days=365)
        self.keys = {
            name: key(number, name, used=hour, made=year, spent=1.0) for number, name in enumerate(names, start=1)
        }
        self.keys["old-import"].lastUsedAt = instant(now - timedelta(days=60))
        self.keys["old-import"].spentToday = 0.0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/api/v1"

    def add(self, made: Key) -> None:
        self.keys[made.name] = made

    def answer(self, path: str, authorization: str) -> tuple[int, dict[str, Any]]:
        self.requests.append(path)
        if authorization != f"Bearer {self.token}":
            return 401, {"error": "invalid api key"}
        self.answers.wait(30)
        if self.refuses:
            return self.refuses, {"error": "upstream is down"}
        url = urlsplit(path)
        if url.path == "/api/v1/workspace":
            return 200, {"data": {"id": "ws_1", "name": "Acme studio", "creditBalance": self.balance}}
        if url.path != "/api/v1/keys":
            return 404, {"error": "not found"}
        query = parse_qs(url.query)
        start, size = int(query.get("cursor", ["0"])[0]), min(PAGE, int(query.get("limit", ["100"])[0]))
        rows = [asdict(row) for row in self.keys.values()]
        more = start + size < len(rows)
        return 200, {"data": rows[start : start + size], "nextCursor": str(start + size) if more else None}


def _handler(flowy: Flowy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            status, body = flowy.answer(self.path, self.headers.get("Authorization") or "")
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    return Handler
