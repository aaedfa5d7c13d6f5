"""The parts round `meter.py`, each a process of its own: `_http.py upstream PORT`, `plain PORT UPSTREAM`,
`streams PORT UPSTREAM`, `load …`."""

import asyncio
import json
import sys
from time import perf_counter
from typing import cast

import httptools

RUN_PATH = "/api/v1/apps/app_1/runs"
SECRET = "flw_sk_0123456789abcdef0123456789"
CHAT_PATH = "/v1/chat/completions"
_BODIES = {
    RUN_PATH: '{"inputs": {"node_1": "a red fox in the snow"}}',
    CHAT_PATH: '{"model": "m", "messages": [{"role": "user", "content": "a red fox in the snow"}]}',
}
_CHAT = (
    b'{"id":"c","object":"chat.completion","created":1790000000,"model":"m","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"yes"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}}'
)


def request_of(path: str) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: flowy\r\nUser-Agent: python-httpx/0.28\r\nAccept: */*\r\n"
        f"Accept-Encoding: gzip, deflate\r\nAuthorization: Bearer {SECRET}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(_BODIES[path])}\r\n\r\n{_BODIES[path]}"
    ).encode()


class Flowy(asyncio.Protocol):
    """Accepts every run at once, and completes every chat."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._parser, self._n = (
            cast(asyncio.Transport, transport),
            httptools.HttpRequestParser(self),
            0,
        )

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._chat = url == CHAT_PATH.encode()

    def on_message_complete(self) -> None:
        self._n += 1
        body = _CHAT if self._chat else b'{"data":{"runId":"run_%d_%d","status":"queued"}}' % (id(self), self._n)
        self._transport.write(
            (b"HTTP/1.1 200 OK" if self._chat else b"HTTP/1.1 202 Accepted")
            + b"\r\nContent-Type: application/json\r\nX-RateLimit-Limit: 60\r\n"
            b"X-RateLimit-Remaining: 59\r\nX-RateLimit-Reset: 1790000000\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), body)
        )


class Plain(asyncio.Protocol):
    """The least a proxy can do: bytes from one socket to another, unread, with an upstream connection per client."""

    def __init__(self, upstream: int) -> None:
        self._upstream, self._early = upstream, [b""]
        self._other: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._task = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        other, _ = await loop.create_connection(lambda: _Back(self.transport), "127.0.0.1", self._upstream)
        self._other = other
        self._other.write(b"".join(self._early))

    def data_received(self, data: bytes) -> None:
        if self._other:
            self._other.write(data)
        else:
            self._early.append(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._other:
            self._other.close()


async def streams(port: int, upstream: int) -> None:
    """The pass-through people write first, with asyncio's streams."""

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", upstream)
        await asyncio.gather(pipe(reader, forth), pipe(back, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


class _Back(asyncio.Protocol):
    def __init__(self, to: asyncio.Transport) -> None:
        self._to = to

    def data_received(self, data: bytes) -> None:
        self._to.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._to.close()


class Client(asyncio.Protocol):
    """Asks again as soon as it has an answer, until the load's end."""

    def __init__(self, load: "Load", request: bytes) -> None:
        self._load, self._request = load, request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._parser = cast(asyncio.Transport, transport), httptools.HttpResponseParser(self)
        self._ask()

    def _ask(self) -> None:
        self._at = perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        now = perf_counter()
        self._load.took.append(now - self._at)
        self._load.bad += self._parser.get_status_code() not in (200, 202)
        if now < self._load.end:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._load.lost()


class Load:
    def __init__(self, seconds: float, connections: int) -> None:
        self.took: list[float] = []
        self.bad = 0
        self.end = perf_counter() + seconds
        self._alive, self._done = connections, asyncio.Event()

    def lost(self) -> None:
        self._alive -= 1
        if not self._alive:
            self._done.set()

    async def run(self, port: int, path: str) -> dict[str, float]:
        request = request_of(path)
        began = perf_counter()
        for _ in range(self._alive):
            await asyncio.get_running_loop().create_connection(lambda: Client(self, request), "127.0.0.1", port)
        await self._done.wait()
        took = sorted(self.took)
        return {
            "requests": len(took),
            "per_second": len(took) / (perf_counter() - began),
            "p50_ms": took[len(took) // 2] * 1e3,
            "p99_ms": took[int(len(took) * 0.99)] * 1e3,
            "bad": self.bad,
        }


async def _serve(factory: type[asyncio.Protocol], port: int, *arguments: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: factory(*arguments), "127.0.0.1", port, backlog=512)
    await server.serve_forever()


async def _load(port: int, connections: int, seconds: float, path: str) -> None:
    print(json.dumps(await Load(seconds, connections).run(port, path)))


if __name__ == "__main__":
    role, port, *more = sys.argv[1:]
    if role == "upstream":
        asyncio.run(_serve(Flowy, int(port)))
    elif role == "plain":
        asyncio.run(_serve(Plain, int(port), int(more[0])))
    elif role == "streams":
        asyncio.run(streams(int(port), int(more[0])))
    else:
        asyncio.run(_load(int(port), int(more[0]), float(more[1]), more[2]))
