"""Everything passes the meter as it is, both ways, and nothing that is cut short looks whole."""

import asyncio
import errno
import gzip
import os
import struct
from socket import SO_LINGER, SOL_SOCKET

import pytest

from flowy_watch.meter.config import target_of
from tests.meter.rig import Upstream, chunked, counted, head, metered, request, run_of, until, whole

BODY = bytes(range(256)) * 40
MEGABYTES = int(os.environ.get("METER_MEGABYTES", "3"))  # of a large body; a long run: METER_MEGABYTES=50


def play(scenario):
    return asyncio.run(scenario)


def test_a_request_arrives_unchanged_but_for_its_host_and_what_is_between_two_hops(tmp_path):
    async def scenario():
        async with metered(tmp_path) as rig:
            raw = request("/apps/x%2Fy?q=1&q=%20", "PATCH", BODY, "X-Odd:  two  words ", "Cookie: a=1",
                          "Connection: keep-alive, X-Hop", "X-Hop: gone", "TE: trailers", "Cookie: b=2")  # fmt: skip
            await rig.ask(raw)
            return rig.upstream.log[0], rig.upstream.port

    asked, port = play(scenario())
    assert (asked.method, asked.path, asked.body) == ("PATCH", "/api/v1/apps/x%2Fy?q=1&q=%20", BODY)
    assert asked.lines == [
        f"Host: 127.0.0.1:{port}", "X-Odd: two  words ", "Cookie: a=1", "Cookie: b=2",
        "Authorization: Bearer flw_sk_0123456789abcdefghijWXYZ", f"Content-Length: {len(BODY)}",
    ]  # fmt: skip


def test_a_path_without_the_upstreams_own_gets_it(tmp_path):
    async def scenario():
        async with metered(tmp_path) as rig:
            for path in ("/apps", "/api/v1/apps", "/api/v1", "/api/v10"):
                await rig.ask(b"GET %b HTTP/1.1\r\nHost: m\r\n\r\n" % path.encode())
            return [asked.path for asked in rig.upstream.log]

    assert play(scenario()) == ["/api/v1/apps", "/api/v1/apps", "/api/v1", "/api/v1/api/v10"]


def _in_pieces(*pieces, close=False):
    """Each piece in a write of its own."""

    def script(asked):
        async def write(reader, writer):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            return "close" if close else None

        return write

    return script


ANSWERS = {
    "json": (whole(b'{"data": [1]}', "200 OK", "X-RateLimit-Limit: 60", "Set-Cookie: a", "Set-Cookie: b"), "GET"),
    "binary": (whole(BODY * 20), "GET"),
    "packed": (whole(gzip.compress(b"{}"), "200 OK", "Content-Encoding: gzip"), "GET"),
    "chunks": (head("200 OK", "Transfer-Encoding: chunked") + chunked(b"one", BODY, b"three"), "GET"),
    "drip": (_in_pieces(*(bytes([byte]) for byte in whole(b"slowly"))), "GET"),
    "dripping chunks": (
        _in_pieces(*(bytes([b]) for b in head("200 OK", "Transfer-Encoding: chunked") + chunked(b"a", b"bc"))), "GET",
    ),
    "empty": (whole(b""), "GET"),
    "no content": (head("204 No Content"), "DELETE"),
    "not modified": (head("304 Not Modified", "ETag: x", "Content-Length: 999"), "GET"),
    "head": (head("200 OK", "Content-Length: 999"), "HEAD"),
    "refused": (whole(b'{"error":"no"}', "401 Unauthorized", "WWW-Authenticate: Bearer"), "GET"),
    "limited": (whole(b'{"error":"slow"}', "429 Too Many Requests", "Retry-After: 3"), "POST"),
    "failed": (whole(b"<html>", "503 "), "GET"),
    "odd status": (whole(b"?", "299 Whatever You Say"), "GET"),
    "until the end": (_in_pieces(head("200 OK", "X: y"), BODY, close=True), "GET"),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_the_same_through_the_meter_and_without_it(tmp_path, name):
    script, method = ANSWERS[name]

    async def scenario():
        async with metered(tmp_path, script) as rig:
            connection = await rig.connect()
            # Twice: what one answer leaves behind must not spoil the next.
            through = [await connection.ask(request(method=method), method=method) for _ in range(2 - ("end" in name))]
            rig.port = rig.upstream.port
            return through, await rig.ask(request(method=method), method=method)

    through, direct = play(scenario())
    for answer in through:
        closing = ["Connection: close"] if name == "until the end" else []
        assert sorted(answer.lines) == sorted(direct.lines + closing)
        assert (answer.status, answer.body, answer.whole) == (direct.status, direct.body, True)


def test_bodies_go_up_in_chunks_as_they_come(tmp_path):
    async def scenario():
        async with metered(tmp_path) as rig:
            connection = await rig.connect()
            connection.writer.write(request("/f", "PUT", None, "Transfer-Encoding: chunked"))
            for piece in (b"4\r\nfour\r\n", b"3;ext=1\r\nt", b"wo\r\n", b"0\r\nX-Trailer: t\r\nHost: x\r\n\r\n"):
                connection.writer.write(piece)
                await connection.writer.drain()
                await asyncio.sleep(0)
            await connection.answer()
            return rig.upstream.log[0].body, rig.upstream.log[0].trailers

    assert play(scenario()) == (b"fourtwo", ["X-Trailer: t"])


def test_large_bodies_are_identical_both_ways(tmp_path):
    large = BODY * (MEGABYTES * 100)

    async def scenario():
        async with metered(tmp_path, lambda asked: whole(asked.body)) as rig:
            return (await rig.ask(request("/f", "PUT", large))).body

    assert play(scenario()) == large


def test_connections_are_kept_on_both_sides(tmp_path):
    async def scenario():
        async with metered(tmp_path) as rig:
            connection = await rig.connect()
            for _ in range(5):
                assert (await connection.ask(run_of())).status == 200
            return rig.upstream.connections

    assert play(scenario()) == 1


def test_a_client_that_waits_for_100_continue_gets_it_from_the_upstream(tmp_path):
    async def scenario():
        async with metered(tmp_path, lambda asked: whole(asked.body)) as rig:
            connection = await rig.connect()
            raw = request("/f", "PUT", b"body", "Expect: 100-continue")
            first = await connection.ask(raw[:-4])
            return first.status, (await connection.ask(b"body")).body

    assert play(scenario()) == (100, b"body")


def test_requests_sent_without_waiting_are_answered_in_order(tmp_path):
    async def scenario():
        async with metered(tmp_path, lambda asked: whole(asked.path.encode())) as rig:
            connection = await rig.connect()
            connection.writer.write(b"".join(request(f"/{n}", "POST", b"x") for n in range(5)))
            return [(await connection.answer()).body for _ in range(5)]

    assert play(scenario()) == [b"/api/v1/%d" % n for n in range(5)]


def test_an_offer_to_upgrade_is_forwarded_as_the_plain_request_it_also_is(tmp_path):
    async def scenario():
        async with metered(tmp_path, lambda asked: whole(asked.body)) as rig:
            raw = request("/f", "POST", b"body", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c")
            return await rig.ask(raw), rig.upstream.log[0].values("upgrade")

    answer, upgrades = play(scenario())
    assert (answer.status, answer.body, upgrades) == (200, b"body", [])


def test_http_1_0_gets_an_answer_without_chunks(tmp_path):
    async def scenario():
        async with metered(tmp_path, head("200 OK", "Transfer-Encoding: chunked") + chunked(b"a", b"b")) as rig:
            connection = await rig.connect()
            answer = await connection.ask(b"GET /apps HTTP/1.0\r\n\r\n")
            return answer.values("transfer-encoding"), answer.body, rig.upstream.log[0].values("host")

    encodings, body, host = play(scenario())
    assert (encodings, body, len(host)) == ([], b"ab", 1)


@pytest.mark.parametrize(
    "pieces",
    [
        (head("200 OK", "Content-Length: 10"), b"half"),
        (head("200 OK", "Transfer-Encoding: chunked"), b"4\r\nhalf\r\n"),
        (head("200 OK", "Transfer-Encoding: chunked"), b"4\r\nhalf\r\nrubbish"),
    ],
)
def test_an_answer_that_breaks_off_does_not_look_whole(tmp_path, pieces):
    async def scenario():
        async with metered(tmp_path, _in_pieces(*pieces, close=True)) as rig:
            return await rig.ask(request())

    answer = play(scenario())
    assert (answer.status, answer.body, answer.whole) == (200, b"half", False)


@pytest.mark.parametrize(
    "raw", [b"", b"rubbish\r\n\r\n", head("200 OK", "Transfer-Encoding: gzip"), head("101 Go", "Upgrade: x", "X: y")]
)
def test_an_upstream_that_does_not_answer_properly_is_a_502_in_flowys_shape(tmp_path, raw):
    async def scenario():
        async with metered(tmp_path, _in_pieces(raw, close=True)) as rig:
            answer = await rig.ask(run_of())
        return answer, counted(tmp_path)

    answer, counts = play(scenario())
    assert (answer.status, answer.body[:10], answer.whole) == (502, b'{"error":"', True)
    assert counts == {}  # a key that Flowy never answered to is not known to be one


def test_a_kept_connection_that_was_closed_meanwhile_costs_no_request(tmp_path):
    def script(asked):
        async def write(reader, writer):
            if len(rig_log) == 2:
                return "close"  # as if it had been closed just before
            writer.write(whole(b"ok"))
            return None

        rig_log.append(asked)
        return write

    rig_log = []

    async def scenario():
        async with metered(tmp_path, script) as rig:
            connection = await rig.connect()
            return [(await connection.ask(request())).body for _ in range(2)], rig.upstream.connections

    assert play(scenario()) == ([b"ok", b"ok"], 2)


def test_a_run_is_never_sent_twice(tmp_path):
    def script(asked):
        async def write(reader, writer):
            if asked.method == "POST":
                return "close"
            writer.write(whole())
            return None

        return write

    async def scenario():
        async with metered(tmp_path, script) as rig:
            connection = await rig.connect()
            answers = [(await connection.ask(raw)).status for raw in (request(), run_of())]
            return answers, [asked.method for asked in rig.upstream.log]

    assert play(scenario()) == ([200, 502], ["GET", "POST"])


def test_an_upstream_that_cannot_be_reached_is_a_502(tmp_path):
    async def scenario():
        async with Upstream().serving() as gone:
            port = gone.port
        async with metered(tmp_path, target=target_of(f"http://127.0.0.1:{port}")) as rig:
            return await rig.ask(run_of())

    answer = play(scenario())
    assert (answer.status, answer.body) == (502, b'{"error":"Flowy could not be reached (flowy-watch meter)"}')


def test_an_answer_that_comes_before_the_request_is_whole_reaches_who_still_sends(tmp_path):
    def early(asked):
        raise AssertionError("the request never becomes whole")

    async def answer_early(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(whole(b'{"error":"too large"}', "413 Payload Too Large", "Connection: close"))
        await writer.drain()
        writer.close()

    async def scenario():
        server = await asyncio.start_server(answer_early, "127.0.0.1", 0)
        target = target_of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async with metered(tmp_path, early, target=target) as rig:
            connection = await rig.connect()
            connection.writer.write(request("/f", "PUT", b"x" * 5_000_000))
            answer = await connection.answer()
            closed = await connection.closed()
        server.close()
        return answer, closed

    answer, closed = play(scenario())
    assert (answer.status, answer.body, closed) == (413, b'{"error":"too large"}', True)


def test_a_client_that_has_reset_its_connection_unheard_takes_nothing_with_it(tmp_path):
    """The socket knows of a reset before the event loop does: a last word on it then fails."""

    async def hang_up(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    def not_connected():
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    async def scenario():
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        target = target_of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async with metered(tmp_path, target=target) as rig:
            connection = await rig.connect()
            await until(lambda: rig.meter.clients)
            (client,) = rig.meter.clients
            client._transport.write_eof = not_connected
            connection.writer.write(request("/f", "PUT", b"x" * 1000)[:-500])
            await until(lambda: not rig.meter.clients)
        server.close()

    play(scenario())


@pytest.mark.parametrize("resets", [False, True])
def test_a_client_that_leaves_after_asking_for_a_run_is_still_counted(tmp_path, resets):
    arrived, go = asyncio.Event(), asyncio.Event()

    def script(asked):
        async def write(reader, writer):
            arrived.set()
            await go.wait()
            writer.write(whole(b'{"data": {"runId": "r1"}}', "202 Accepted"))

        return write

    async def scenario():
        async with metered(tmp_path, script) as rig:
            connection = await rig.connect()
            connection.writer.write(run_of())
            await arrived.wait()
            if resets:
                connection.writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            connection.writer.transport.abort()
            await until(lambda: all(client.gone or not resets for client in rig.meter.clients))
            go.set()
            await until(lambda: not rig.meter.clients)
        return counted(tmp_path)["WXYZ"].runs

    assert play(scenario()) == 1
