"""A scripted Flowy, a meter in front of it, and clients that see every byte, all on loopback in one event loop."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from structlog.testing import capture_logs

from flowy_watch.ledger import Ledger
from flowy_watch.meter.config import MeterConfig, target_of
from flowy_watch.meter.meter import Meter
from flowy_watch.meter.run import listener_for

SECRET = "flw_sk_0123456789abcdefghijWXYZ"
NOON = datetime(2026, 11, 24, 12, 2, 30, tzinfo=UTC)
BASE = "/api/v1"


@dataclass
class StillClock:
    """Moves when a test moves it."""

    at: datetime = NOON
    speed: float = 1.0

    def now(self):
        return self.at


def head(status="200 OK", *lines):
    return "\r\n".join((f"HTTP/1.1 {status}", *lines, "", "")).encode()


def whole(body=b'{"data": {}}', status="200 OK", *lines):
    return head(status, f"Content-Length: {len(body)}", *lines) + body


def chunked(*pieces):
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


def request(path="/apps", method="GET", body=None, *lines, secret=SECRET, host="meter"):
    lines = (f"Host: {host}", *lines)
    if secret:
        lines += (f"Authorization: Bearer {secret}",)
    if body is not None:
        lines += (f"Content-Length: {len(body)}",)
    return "\r\n".join((f"{method} {BASE}{path} HTTP/1.1", *lines, "", "")).encode() + (body or b"")


def run_of(app="poster", **options):
    return request(f"/apps/{app}/runs", "POST", b'{"inputs": {}}', **options)


@dataclass
class Asked:
    """A request as the upstream read it, whole."""

    method: str
    path: str
    lines: list
    body: bytes
    trailers: list = field(default_factory=list)

    def values(self, name):
        return [line.split(": ", 1)[1] for line in self.lines if line.lower().startswith(f"{name}: ")]


@dataclass
class Upstream:
    """Answers every request with what `script` says: bytes, or a coroutine that writes by itself."""

    script: object = whole()
    log: list = field(default_factory=list)
    connections: int = 0
    statuses: Counter = field(default_factory=Counter)
    port: int = 0

    @asynccontextmanager
    async def serving(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**20)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader, writer):
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ValueError):  # it left
            while asked := await self._read(reader, writer):
                self.log.append(asked)
                answer = self.script(asked) if callable(self.script) else self.script
                if asyncio.iscoroutine(answer):
                    raise AssertionError("a script is bytes, or a function of the request that gives bytes or a writer")
                if callable(answer):
                    if await answer(reader, writer) == "close":
                        break
                else:
                    self.statuses[int(answer[9:12])] += 1
                    writer.write(answer)
                    await writer.drain()
        writer.close()

    async def _read(self, reader, writer):
        raw = await reader.readuntil(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
        asked = Asked(*first.split(" ")[:2], lines, b"")
        if asked.values("expect"):
            writer.write(head("100 Continue"))
        if asked.values("transfer-encoding"):
            while size := int(await reader.readline(), 16):
                asked.body += (await reader.readexactly(size + 2))[:-2]
            while (trailer := await reader.readline()) != b"\r\n":
                asked.trailers.append(trailer.decode().rstrip())
        elif length := asked.values("content-length"):
            asked.body = await reader.readexactly(int(length[0]))
        return asked


@dataclass
class Answer:
    status: int
    lines: list
    body: bytes
    whole: bool
    """False when the connection ended before the body did."""

    def values(self, name):
        return [line.split(": ", 1)[1] for line in self.lines if line.lower().startswith(f"{name}: ")]


class Connection:
    """A client that writes raw bytes and reads one answer after the other."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def ask(self, raw, *, method="GET"):
        self.writer.write(raw)
        return await self.answer(method=method)

    async def answer(self, *, method="GET"):
        raw = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
        answer = Answer(int(first.split(" ")[1]), lines, b"", whole=True)
        if method == "HEAD" or answer.status < 200 or answer.status in (204, 304):
            return answer
        try:
            if answer.values("transfer-encoding"):
                while size := int(await self.reader.readline() or b"x", 16):
                    answer.body += (await self.reader.readexactly(size + 2))[:-2]
                await self.reader.readline()
            elif length := answer.values("content-length"):
                answer.body = await self.reader.readexactly(int(length[0]))
            else:
                answer.body = await self.reader.read()
        except (asyncio.IncompleteReadError, ValueError) as error:
            answer.whole, answer.body = False, answer.body + getattr(error, "partial", b"")
        return answer

    async def closed(self):
        """Whether the meter closes it, with nothing more to read."""
        return await self.reader.read() == b""

    def close(self):
        self.writer.close()


@dataclass
class Rig:
    upstream: Upstream
    meter: Meter
    port: int
    clock: StillClock
    stop: asyncio.Event
    connections: list = field(default_factory=list)

    async def connect(self):
        connection = Connection(*await asyncio.open_connection("127.0.0.1", self.port, limit=2**20))
        self.connections.append(connection)
        return connection

    async def ask(self, raw, *, method="GET"):
        """On a connection of its own."""
        connection = await self.connect()
        answer = await connection.ask(raw, method=method)
        connection.close()
        return answer

    async def settled(self, true=None):
        """What was sent has arrived: loopback takes no longer than this, and a condition is waited for."""
        for _ in range(50):
            await asyncio.sleep(0.0002)
        if true:
            await until(true)

    def pass_seconds(self, seconds):
        """Let every deadline come that much nearer, and give up on who missed his."""
        before = self.meter.seconds
        self.meter.seconds = lambda: before() + seconds
        self.meter.sweep()


@asynccontextmanager
async def metered(tmp_path, script=None, **options):
    """A meter in front of `script`; what it counted is in `tmp_path` / meter.db when the block has ended.

    Whatever the test does, no callback of the meter may fail.
    """
    broken = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: broken.append(context))
    with capture_logs() as logged:
        async with _metered(tmp_path, script, **options) as rig:
            yield rig
    assert [(str(context.get("exception")), context["message"]) for context in broken] == []
    assert [event for event in logged if event["event"] == "meter.broken"] == []


@asynccontextmanager
async def _metered(tmp_path, script=None, **options):
    async with Upstream(script if script is not None else whole()).serving() as upstream:
        config = MeterConfig(target_of(f"http://127.0.0.1:{upstream.port}{BASE}"), tmp_path / "meter.db")
        clock = options.pop("clock", None) or StillClock()
        meter, stop = Meter(replace(config, **options), clock), asyncio.Event()
        listener = listener_for("127.0.0.1", 0, {})
        running = asyncio.create_task(meter.run(listener, stop))
        rig = Rig(upstream, meter, listener.getsockname()[1], clock, stop)
        try:
            yield rig
        finally:
            for connection in rig.connections:
                connection.close()
            stop.set()
            await running


def counted(tmp_path, day=date(2026, 11, 24)):
    """Each key's counts of the day, by its last four."""
    with Ledger(tmp_path / "meter.db") as ledger:
        return {key.last_four: key.counts for key in ledger.keys(day)}


async def until(true):
    """Let the others work until it is so; pytest's time-out is the end of patience."""
    while not true():
        await asyncio.sleep(0)
