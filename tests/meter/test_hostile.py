"""Whatever a client sends, one reading of it is forwarded or none, and nothing of it is unbounded."""

import asyncio

import pytest

from flowy_watch.meter.config import Limits
from tests.meter.rig import SECRET, chunked, head, metered, request, until, whole

POST = b"POST /apps/a/runs HTTP/1.1\r\nHost: m\r\n"
GET = b"GET /apps HTTP/1.1\r\nHost: m\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: m\r\n\r\n"

REFUSED = {
    "length and chunks": (400, POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED),
    "chunks and length": (400, POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED),
    "two lengths": (400, POST + b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n" + SMUGGLED),
    "the same length twice": (400, POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
    "a list of lengths": (400, POST + b"Content-Length: 1, 1\r\n\r\nx"),
    "a signed length": (400, POST + b"Content-Length: +1\r\n\r\nx"),
    "a length with a letter": (400, POST + b"Content-Length: 1x\r\n\r\nx"),
    "an endless length": (400, POST + b"Content-Length: 99999999999999999999999\r\n\r\nx"),
    "another coding": (501, POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    "chunked twice": (400, POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunked not last": (400, POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    "packed for the hop": (501, POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "a folded line": (400, GET + b"X: a\r\n b\r\n\r\n"),
    "a folded coding": (400, POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    "bare line feeds": (400, b"GET /apps HTTP/1.1\nHost: m\n\n"),
    "a bare line feed in a field": (400, GET + b"X: a\nY: b\r\n\r\n"),
    "a bare carriage return": (400, GET + b"X: a\rY: b\r\n\r\n"),
    "a space before the colon": (400, POST + b"Content-Length : 1\r\n\r\nx"),
    "a nul": (400, GET + b"X: a\0b\r\n\r\n"),
    "no name": (400, GET + b": x\r\n\r\n"),
    "a chunk longer than it says": (400, POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n"),
    "a chunk with a bare line feed": (400, POST + b"Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n"),
    "a chunk beyond counting": (400, POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx"),
    "another server": (400, b"GET http://elsewhere.example/ HTTP/1.1\r\nHost: m\r\n\r\n"),
    "a tunnel": (405, b"CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: m\r\n\r\n"),
    "no host": (400, b"GET /apps HTTP/1.1\r\n\r\n"),
    "two hosts": (400, GET + b"Host: other\r\n\r\n"),
    "two keys": (400, GET + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n"),
    "another expectation": (417, POST + b"Expect: miracles\r\nContent-Length: 0\r\n\r\n"),
    "another protocol": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "another version": (400, b"GET / HTTP/1.2\r\nHost: m\r\n\r\n"),
    "garbage": (400, bytes(range(256)) * 4),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 60),
    "a large head": (431, GET + b"X: " + b"a" * 70_000 + b"\r\n\r\n"),
    "an endless head": (431, GET + b"X: " + b"a" * 200_000),
    "an endless first line": (431, b"GET /" + b"a" * 200_000),
    "many fields": (431, GET + b"X: a\r\n" * 300 + b"\r\n"),
    "an endless trailer": (431, POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"a" * 200_000),
    "a large body": (413, POST + b"Content-Length: 2000000\r\n\r\n" + b"x" * 100_000),
    "large chunks": (413, POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b"x" * 1_100_000)),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_be_read_in_two_ways_is_refused_and_never_forwarded(tmp_path, name):
    status, raw = REFUSED[name]

    async def scenario():
        async with metered(tmp_path, limits=Limits(body_bytes=1_000_000)) as rig:
            connection = await rig.connect()
            answer = await connection.ask(raw)
            connection.writer.write_eof()
            return answer, await connection.closed(), [asked.path for asked in rig.upstream.log]

    answer, closed, forwarded = asyncio.run(scenario())
    assert (answer.status, closed, forwarded) == (status, True, [])
    assert answer.body.startswith(b'{"error":"')


def test_what_follows_a_good_request_is_refused_after_its_answer(tmp_path):
    async def scenario():
        async with metered(tmp_path) as rig:
            connection = await rig.connect()
            first = await connection.ask(request() + b"rubbish\r\n\r\n")
            return first.status, (await connection.answer()).status, await connection.closed()

    assert asyncio.run(scenario()) == (200, 400, True)


def test_no_sender_can_have_what_matters_taken_out_by_naming_it_in_connection(tmp_path):
    async def scenario():
        async with metered(tmp_path) as rig:
            await rig.ask(request("/f", "POST", b"x", "Connection: authorization, content-length, host"))
            return rig.upstream.log[0]

    asked = asyncio.run(scenario())
    assert (asked.values("authorization"), asked.body) == ([f"Bearer {SECRET}"], b"x")


@pytest.mark.parametrize(
    ("sent", "seconds", "status"),
    [
        (b"GET / HT", 20, 408),
        (GET, 20, 408),
        (POST + b"Content-Length: 9\r\n\r\nhalf", 70, 408),
        (request(), 301, 504),
    ],
)
def test_who_keeps_the_meter_waiting_is_given_up(tmp_path, sent, seconds, status):
    def never(asked):
        async def wait(reader, writer):
            await reader.read()

        return wait

    async def scenario():
        async with metered(tmp_path, never) as rig:
            connection = await rig.connect()
            connection.writer.write(sent)
            await rig.settled()
            rig.pass_seconds(5)  # too little
            await rig.settled()
            rig.pass_seconds(seconds)
            return await connection.answer()

    answer = asyncio.run(scenario())
    assert (answer.status, answer.whole) == (status, True)


def test_an_idle_connection_is_closed_and_a_stalled_answer_is_cut(tmp_path):
    def half(asked):
        async def write(reader, writer):
            writer.write(head("200 OK", "Content-Length: 10") + b"half")
            await reader.read()

        return write

    async def scenario():
        async with metered(tmp_path, half) as rig:
            idle, waiting = await rig.connect(), await rig.connect()
            waiting.writer.write(request())
            await rig.settled()
            rig.pass_seconds(80)
            closed = await idle.closed()
            rig.pass_seconds(301)
            return closed, (await waiting.answer()).whole

    assert asyncio.run(scenario()) == (True, False)


def test_a_client_that_takes_nothing_holds_a_bounded_part_of_its_answer(tmp_path):
    size = 30_000_000

    async def scenario():
        async with metered(tmp_path, whole(b"x" * size)) as rig:
            connection = await rig.connect()
            connection.writer.transport.pause_reading()
            connection.writer.write(request())
            await rig.settled(lambda: any(client.full for client in rig.meter.clients))
            [client] = rig.meter.clients
            held = client.unread
            connection.writer.transport.resume_reading()
            return held, len((await connection.answer()).body)

    held, received = asyncio.run(scenario())
    assert held < 1_000_000
    assert received == size


def test_a_client_that_is_slow_but_takes_something_is_not_given_up(tmp_path):
    async def scenario():
        async with metered(tmp_path, whole(b"x" * 30_000_000)) as rig:
            connection = await rig.connect()
            transport = connection.writer.transport
            transport.pause_reading()
            connection.writer.write(request())
            await rig.settled(lambda: any(client.full for client in rig.meter.clients))
            [client] = rig.meter.clients
            for _ in range(5):
                rig.pass_seconds(50)
                left = client.unread
                transport.resume_reading()
                await until(lambda left=left: client.unread != left)
                transport.pause_reading()
                await rig.settled()
            transport.resume_reading()
            return len((await connection.answer()).body)

    assert asyncio.run(scenario()) == 30_000_000


def test_one_connection_too_many_is_told_so_and_the_others_go_on(tmp_path):
    async def scenario():
        async with metered(tmp_path, limits=Limits(connections=2)) as rig:
            first, _ = await rig.connect(), await rig.connect()
            await rig.settled(lambda: len(rig.meter.clients) == 2)
            third = await rig.connect()
            refused = await third.answer()
            return refused.status, (await first.ask(request())).status

    assert asyncio.run(scenario()) == (503, 200)
