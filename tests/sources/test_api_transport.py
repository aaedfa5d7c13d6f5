"""Answers that are none: what is tried again, what is not, and what is never shown."""

import gzip
import logging
import socket
import threading
import time as real_time
import traceback
import zlib
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from flowy_watch.errors import CredentialRefused, SourceError
from flowy_watch.sources.api import ApiSource
from flowy_watch.sources.pace import LONGEST_BACKOFF, backoff, http_date, retry_after

from .conftest import TOKEN, MakeSource
from .server import NOON, FakeTime, Reply, Request, Server, key, listed, pages

SECRET = "flw_sk_live_9f8e7d6c5b4a"


def refusal(source: ApiSource) -> str:
    with pytest.raises(SourceError) as caught:
        source.pull(NOON)
    return str(caught.value)


def seconds(time: FakeTime) -> list[float]:
    return [pause.total_seconds() for pause in time.waits]


# --- statuses


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_credential_is_told_at_once(source: ApiSource, server: Server, status: int) -> None:
    server.scripts["/keys"] = Reply({"error": "Missing, malformed, revoked or expired API key"}, status)
    with pytest.raises(CredentialRefused, match=r"source\.token"):
        source.pull(NOON)
    assert server.paths() == ["/keys"]


def test_a_path_that_leads_nowhere_is_named_with_its_option(make: MakeSource, server: Server) -> None:
    message = refusal(make(keys={"path": "/api-keys"}))
    assert "GET /api-keys: not found (404)" in message
    assert "source.keys.path" in message
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 402, 405, 409, 410, 418, 422])
def test_other_refusals_are_not_tried_again(source: ApiSource, server: Server, status: int, time: FakeTime) -> None:
    server.scripts["/keys"] = Reply({"error": "no credits"}, status)
    assert refusal(source) == f"GET /keys: refused ({status}): no credits; trying again does not help"
    assert (len(server.requests), time.waits) == (1, [])


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529])
def test_trouble_is_tried_again(source: ApiSource, server: Server, status: int, time: FakeTime) -> None:
    server.scripts["/keys"] = [Reply(b"<html>oops", status), Reply({}, status), listed(key(1))]
    assert len(source.pull(NOON).snapshots) == 1
    assert [0 <= s <= bound for s, bound in zip(seconds(time), (0.5, 1.0), strict=True)] == [True, True]


def test_trouble_to_the_end_is_told_with_the_number_of_tries(make: MakeSource, server: Server) -> None:
    server.scripts["/keys"] = Reply({}, 500)
    assert refusal(make(retries=2)) == (
        "GET /keys: Flowy is in trouble (500); tried 3 times, the next poll tries again"
    )
    assert len(server.requests) == 3


def test_retries_end_with_the_deadline(make: MakeSource, server: Server, time: FakeTime) -> None:
    def slow(_: Request) -> Reply:
        time.move(timedelta(seconds=4))
        return Reply({}, 500)

    server.scripts["/keys"] = slow
    assert "source.deadline (5 s) is over" in refusal(make(deadline=5, retries=20))
    assert time.passed <= 9


def test_pages_that_never_end_are_left_at_the_deadline(make: MakeSource, server: Server, time: FakeTime) -> None:
    def slow(request: Request) -> Reply:
        time.move(timedelta(seconds=2))
        return Reply({"data": [], "nextCursor": int(request.query.get("cursor", "0")) + 1})

    server.scripts["/keys"] = slow
    assert refusal(make(deadline=5)) == "GET /keys: source.deadline (5 s) is over, the next poll tries again"
    assert len(server.requests) == 3


def test_backoff_grows_to_a_bound_and_is_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 1.0)
    assert [backoff(n).total_seconds() for n in (1, 2, 3, 4, 5, 6, 20)] == [0.5, 1, 2, 4, 8, 10, 10]
    assert backoff(20) == LONGEST_BACKOFF
    monkeypatch.setattr("random.random", lambda: 0.0)
    assert backoff(6) == timedelta(0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_token_does_not_travel_with_a_redirect(source: ApiSource, server: Server, status: int) -> None:
    server.scripts["/keys"] = Reply(b"", status, {"Location": "/elsewhere"})
    assert f"redirected ({status})" in refusal(source)
    assert server.paths() == ["/keys"]


# --- 429 and the rate limit


def test_retry_after_is_obeyed_to_the_second(source: ApiSource, server: Server, time: FakeTime) -> None:
    server.scripts["/keys"] = [Reply({}, 429, {"Retry-After": "17"}), listed(key(1))]
    assert len(source.pull(NOON).snapshots) == 1
    assert seconds(time) == [17]


def test_retry_after_may_be_a_date(source: ApiSource, server: Server, time: FakeTime) -> None:
    at = format_datetime(NOON + timedelta(seconds=42), usegmt=True)
    server.scripts["/keys"] = [Reply({}, 503, {"Retry-After": at}), listed(key(1))]
    source.pull(NOON)
    assert seconds(time) == [42]


@pytest.mark.parametrize("value", ["61", "60", "9" * 30, format_datetime(NOON + timedelta(days=9), usegmt=True)])
def test_a_wait_beyond_the_deadline_is_told_and_not_waited(
    source: ApiSource, server: Server, time: FakeTime, value: str
) -> None:
    server.scripts["/keys"] = Reply({}, 429, {"Retry-After": value})
    message = refusal(source)
    assert "too many requests (429); Flowy asks to wait until 20" in message
    assert "source.deadline (60 s)" in message
    assert (len(server.requests), time.waits) == (1, [])


def test_the_time_to_wait_until_is_named(source: ApiSource, server: Server) -> None:
    server.scripts["/keys"] = Reply({}, 429, {"Retry-After": "300"})
    assert "until 2026-03-10 12:05:00 UTC" in refusal(source)


@pytest.mark.parametrize("value", ["", "soon", "-5", "1e3", "NaN", "²"])
def test_a_retry_after_that_makes_no_sense_leaves_the_pause_to_us(value: str) -> None:
    assert retry_after(value, NOON) is None


def test_a_retry_after_in_the_past_means_now() -> None:
    assert retry_after(format_datetime(NOON - timedelta(1)), NOON) == timedelta(0)


def test_a_date_no_calendar_has_is_none() -> None:
    assert http_date("Fri, 31 Dec 9999 23:59:59 -0500") is None


def exhausted(time: FakeTime, resets_in: float) -> dict[str, str]:
    return {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.now().timestamp() + resets_in))}


def test_an_exhausted_rate_limit_is_waited_out_before_the_next_page(
    source: ApiSource, server: Server, time: FakeTime
) -> None:
    page = pages([key(1), key(2)], 1)

    def limited(request: Request) -> Reply:
        reply = page(request)
        reply.headers = exhausted(time, 20) if not request.query.get("cursor") else {"X-RateLimit-Remaining": "59"}
        return reply

    server.scripts["/keys"] = limited
    assert len(source.pull(NOON).snapshots) == 2
    assert seconds(time) == [20]


def test_a_reset_beyond_the_deadline_is_not_waited_for(source: ApiSource, server: Server, time: FakeTime) -> None:
    reply = listed(key(1))
    reply.headers = exhausted(time, 3600)
    server.scripts["/keys"] = reply
    assert len(source.pull(NOON).snapshots) == 1
    assert time.waits == []


def test_a_429_without_retry_after_waits_for_the_reset(source: ApiSource, server: Server, time: FakeTime) -> None:
    server.scripts["/keys"] = [Reply({}, 429, exhausted(time, 30)), listed(key(1))]
    source.pull(NOON)
    assert seconds(time) == [30]


# --- connections


def test_a_connection_that_breaks_is_tried_again(source: ApiSource, server: Server) -> None:
    server.scripts["/keys"] = [
        Reply(raw=[]),
        Reply(raw=[b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"]),
        listed(key(1)),
    ]
    assert len(source.pull(NOON).snapshots) == 1


def test_a_body_cut_short_to_the_end_refuses_the_poll(source: ApiSource, server: Server) -> None:
    server.scripts["/keys"] = Reply(raw=[b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"data": []'])
    assert "the connection broke off before the whole answer was there; tried 5 times" in refusal(source)


def test_what_is_no_http_refuses_the_poll(make: MakeSource, server: Server) -> None:
    server.scripts["/keys"] = Reply(raw=[b"SSH-2.0-OpenSSH_9.9\r\n"])
    assert "the connection broke off" in refusal(make(retries=0))


def test_nobody_listening_is_told(make: MakeSource) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        message = refusal(make(base_url=f"http://127.0.0.1:{bound.getsockname()[1]}"))
    assert "cannot connect" in message
    assert "tried 5 times" in message


def drip(first: bytes, every: float = 0.02) -> Any:
    yield first
    while True:
        real_time.sleep(every)
        yield b"a"


@pytest.mark.parametrize(
    "first",
    [b"HTTP/1.1 200 OK\r\nX-Drip: ", b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"],
    ids=["headers", "body"],
)
def test_a_server_that_drips_cannot_hold_up_the_poll(make: MakeSource, server: Server, first: bytes) -> None:
    server.scripts["/keys"] = lambda _: Reply(raw=drip(first))
    began = real_time.monotonic()
    message = refusal(make(timeout=0.15, retries=1))
    assert "answer in 0.15 s; tried 2 times" in message
    assert real_time.monotonic() - began < 2


def test_after_a_request_was_abandoned_the_next_pull_works(make: MakeSource, server: Server) -> None:
    source = make(timeout=0.3, retries=0)
    server.scripts["/keys"] = lambda _: Reply(raw=drip(b"HTTP/1.1 200 OK\r\nX-Drip: "))
    refusal(source)
    server.scripts["/keys"] = listed(key(1))
    assert len(source.pull(NOON).snapshots) == 1


def requesting() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "source-requests"}


def test_one_thread_serves_every_page_of_every_pull_and_ends_with_the_source(make: MakeSource, server: Server) -> None:
    server.scripts["/keys"] = pages([key(n) for n in range(7)], 1)
    before, source = requesting(), make()
    source.pull(NOON)
    [thread] = requesting() - before
    source.pull(NOON)
    assert requesting() - before == {thread}
    source.close()
    thread.join(5)
    assert not thread.is_alive()


def test_the_thread_of_an_abandoned_request_ends_once_the_server_lets_go(make: MakeSource, server: Server) -> None:
    go, before = threading.Event(), requesting()

    def until_let_go() -> Any:
        for byte in drip(b"HTTP/1.1 200 OK\r\nX-Drip: "):
            if go.is_set():
                return
            yield byte

    server.scripts["/keys"] = lambda _: Reply(raw=until_let_go())
    source = make(timeout=0.3, retries=0)
    assert "no whole answer in 0.3 s" in refusal(source)
    go.set()
    for thread in requesting() - before:
        thread.join(5)
        assert not thread.is_alive()
    server.scripts["/keys"] = listed(key(1))
    assert len(source.pull(NOON).snapshots) == 1


def test_close_cuts_short_a_pull_that_waits(server: Server, time: FakeTime) -> None:
    source = ApiSource(ApiSource.Config(base_url=server.url, token=TOKEN), clock=time)

    def close(_: Request) -> Reply:
        source.close()
        return Reply({}, 503, {"Retry-After": "50"})

    server.scripts["/keys"] = close
    assert "closed" in refusal(source)
    assert "closed" in refusal(source)


def test_close_cuts_short_a_pull_whose_server_never_answers(source: ApiSource, server: Server) -> None:
    asked, answer = threading.Event(), threading.Event()

    def hang(_: Request) -> Reply:
        asked.set()
        answer.wait(20)
        return listed(key(1))

    server.scripts["/keys"] = hang
    closing = threading.Thread(target=lambda: asked.wait(20) and source.close())
    closing.start()
    assert "closed" in refusal(source)
    assert not answer.is_set()
    answer.set()
    closing.join()


# --- bodies


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"<!DOCTYPE html><p>Log in", "is a web page, not JSON"),
        (b"\xef\xbb\xbf\n<html>", "is a web page, not JSON"),
        (b'{"data": [{"id": "key_1"', "is not JSON, or is cut short"),
        (b"hello", "is not JSON, or is cut short"),
        (b'{"data": ["\xff\xfe"]}', "is not UTF-8"),
        (b"[" * 200_000, "is nested too deeply"),
        (b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "is nested too deeply"),
        (b'{"data": ' + b"9" * 5000 + b"}", "is not JSON"),
    ],
)
def test_a_body_that_is_no_json_refuses_the_poll_with_one_reason(
    source: ApiSource, server: Server, body: bytes, said: str
) -> None:
    server.scripts["/keys"] = Reply(body)
    message = refusal(source)
    assert message.startswith(f"the answer to GET /keys {said}")
    assert "source.keys.path" in message
    assert len(server.requests) == 1


def test_the_content_type_is_not_trusted_either_way(source: ApiSource, server: Server) -> None:
    reply = listed(key(1))
    reply.headers["Content-Type"] = "text/html"
    server.scripts["/keys"] = reply
    assert len(source.pull(NOON).snapshots) == 1


def test_a_mark_before_the_json_is_overlooked(source: ApiSource, server: Server) -> None:
    server.scripts["/keys"] = Reply(b"\xef\xbb\xbf" + listed(key(1)).bytes())
    assert len(source.pull(NOON).snapshots) == 1


@pytest.mark.parametrize("name", ["gzip", "x-gzip", "GZIP"])
def test_a_compressed_answer_is_read(source: ApiSource, server: Server, name: str) -> None:
    server.scripts["/keys"] = Reply(gzip.compress(listed(key(1)).bytes()), headers={"Content-Encoding": name})
    assert len(source.pull(NOON).snapshots) == 1
    assert server.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("body", "encoding", "said"),
    [
        (b"not gzip at all", "gzip", "is compressed, but broken"),
        # mtime: these become names of tests, which must not change with the clock
        (gzip.compress(b"{}" * 999, mtime=0)[:-9], "gzip", "is compressed, but cut short"),
        (zlib.compress(b"{}"), "deflate", "is compressed in a way we did not ask for"),
        (gzip.compress(b"twice", mtime=0), "gzip, gzip", "is compressed in a way we did not ask for"),
    ],
)
def test_a_broken_or_strange_compression_refuses_the_poll(
    source: ApiSource, server: Server, body: bytes, encoding: str, said: str
) -> None:
    server.scripts["/keys"] = Reply(body, headers={"Content-Encoding": encoding})
    assert said in refusal(source)


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(b" " * 1_000_000) for _ in range(size // 1_000_000)) + packer.flush()


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(make: MakeSource, server: Server) -> None:
    server.scripts["/keys"] = Reply(bomb(100_000_000), headers={"Content-Encoding": "gzip"})
    assert "is larger than 100,000 bytes (source.max_body)" in refusal(make(max_body=100_000))


def test_a_body_without_end_is_refused(make: MakeSource, server: Server) -> None:
    server.scripts["/keys"] = Reply(b" " * 200_000)
    assert "is larger than 100,000 bytes" in refusal(make(max_body=100_000))


# --- what is never shown


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_what_the_server_said_is_shown_short_and_without_secrets(make: MakeSource, server: Server, status: int) -> None:
    said = f"key {SECRET} with {TOKEN} and hunter2-value\n" + "x" * 500
    server.scripts["/keys"] = Reply({"error": said}, status)
    message = refusal(make(retries=0, headers={"X-Extra": "hunter2-value"}))
    assert "key [hidden] with [hidden] and [hidden] xx" in message
    assert "x" * 120 not in message
    assert "\n" not in message


@pytest.mark.parametrize("body", [b"<p>" + SECRET.encode(), f'{{"error": {{"t": "{TOKEN}"}}}}'.encode(), b"\xff", b""])
def test_a_refusal_in_another_form_is_not_shown(source: ApiSource, server: Server, body: bytes) -> None:
    server.scripts["/keys"] = Reply(body, 400)
    assert refusal(source) == "GET /keys: refused (400); trying again does not help"


FAILURES: list[Reply] = [
    Reply({"error": f"{TOKEN} {SECRET}"}, 401),
    Reply({"error": f"{TOKEN} {SECRET}"}, 500),
    Reply(f'{{"{TOKEN}": "{SECRET}'.encode()),
    Reply(f'{{"data": "\xff{TOKEN}{SECRET}"}}'.encode("latin-1")),
    Reply(b"", 302, {"Location": f"https://u:{TOKEN}@example.test/?t={SECRET}"}),
    Reply(raw=[f"HTTP/1.1 {TOKEN} {SECRET}\r\n\r\n".encode()]),
    listed(key(1, spentToday=f"{TOKEN}{SECRET}", id=f"{SECRET}")),
    Reply({"data": {TOKEN: SECRET}}),
]


@pytest.mark.parametrize("reply", FAILURES, ids=range(len(FAILURES)))
def test_no_failure_shows_a_secret_in_error_traceback_log_or_repr(
    make: MakeSource, server: Server, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.scripts["/keys"] = reply
    source = make(retries=1, headers={"X-Extra": "hunter2-value"}, keys={"query": {"sig": "hunter3-value"}})
    with pytest.raises(SourceError) as caught:
        source.pull(NOON)
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(source) + repr(source._config)
    checks = "".join(map(repr, source.check(NOON)))
    for secret in (TOKEN, SECRET, "hunter2-value", "hunter3-value"):
        assert secret not in shown + checks


def test_a_good_pull_logs_no_url(make: MakeSource, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    make(keys={"query": {"sig": "hunter3-value"}}).pull(NOON)
    assert "hunter3" not in caplog.text


def test_cookies_are_not_kept(source: ApiSource, server: Server) -> None:
    reply = listed(key(1))
    reply.headers["Set-Cookie"] = "sid=1"
    server.scripts["/keys"] = reply
    source.pull(NOON)
    source.pull(NOON)
    assert all("cookie" not in request.headers for request in server.requests)


def test_a_proxy_is_used_as_the_environment_says(
    make: MakeSource, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url.removeprefix("http://"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    make(base_url="http://flowy.invalid").pull(NOON)  # no such name: only the proxy can answer
    assert [request.headers["host"] for request in server.requests] == ["flowy.invalid"] * 2

    make().pull(NOON)
    assert server.requests[-1].headers["host"] == server.url.removeprefix("http://")

    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(SourceError, match="cannot connect"):
        make(base_url="http://flowy.invalid", retries=0).pull(NOON)
