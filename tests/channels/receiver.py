"""A web server on loopback that takes posts, and does with each what the test says."""

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Self


@dataclass(frozen=True)
class Taken:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body.decode("utf-8", "strict"))


@dataclass(frozen=True)
class Answer:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    how: str = "answer"
    """`answer`, `hang` until the end, `drop` the connection, or `trickle` one byte of a header after the other."""
    after: float = 0.0
    body: bytes = b""


class Receiver:
    """`with Receiver() as receiver: … receiver.url, receiver.requests`; scripted answers are used up in order."""

    def __init__(self, allowed: Callable[[Taken], int] = lambda taken: 200) -> None:
        """`allowed` gives the status of a request that nothing is scripted for."""
        self.requests: list[Taken] = []
        self.accepted: list[Taken] = []
        """Those answered with 2xx, and those dropped after they were taken."""
        self._allowed = allowed
        self._script: deque[Answer] = deque()
        self._over = Event()

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def then(
        self, status: int = 200, *, how: str = "answer", after: float = 0.0, body: bytes = b"", **headers: str
    ) -> None:
        """What happens to the next request; `Retry_After="30"` is a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._script.append(Answer(status, named, how, after, body))

    def posts(self) -> list[Any]:
        """The JSON of all that was accepted."""
        return [taken.json for taken in self.accepted]

    def answer_for(self, taken: Taken) -> Answer:
        self.requests.append(taken)
        answer = self._script.popleft() if self._script else Answer(self._allowed(taken))
        if answer.after:
            self._over.wait(answer.after)
        if answer.how == "drop" or (answer.how == "answer" and 200 <= answer.status < 300):
            self.accepted.append(taken)
        return answer

    def wait(self, seconds: float | None = None) -> bool:
        """Until the end, or for so long; true when it is the end."""
        return self._over.wait(seconds)


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_HEAD(self) -> None:
            self.send_response(404)  # as many hosts say to whoever asks for nothing
            self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = receiver.answer_for(Taken(self.command, self.path, headers, body))
            if answer.how == "hang":
                receiver.wait()
            elif answer.how == "trickle":
                self._trickle()
            elif answer.how == "answer":
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

        def do_GET(self) -> None:
            self.do_POST()

        def _trickle(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not receiver.wait(0.02):
                self.wfile.write(b"x")

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                """Whoever hung up first is no news."""

    return Handler
