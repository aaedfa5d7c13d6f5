"""What is read without the parser is read as the parser reads it."""

import random

import httptools
import pytest

from flowy_watch.meter.config import Limits, target_of
from flowy_watch.meter.head import sorted_out
from flowy_watch.meter.request import Request, Wrong, prepared
from flowy_watch.meter.whole import whole_answer, whole_request

TARGET = target_of("http://flowy.example/api")
USUAL = (
    b"Accept: */*", b"Authorization: Bearer flw_sk_0123456789abcdef", b"User-Agent: httpx/0.28", b"X:", b"X: \xe9",
    b"Connection: keep-alive", b"connection:Keep-Alive", b"Keep-Alive: timeout=5", b"X-Odd:  two  words ", b"Hosts: 2",
    b"Content-Encoding: gzip", b"Date: Tue, 24 Nov 2026 12:00:00 GMT", b"Content-Length-Of-It: 9",
)  # fmt: skip
ODD = (
    b"host:m", b"Content-Length: 5", b"content-length: 4 ", b"Content-Length: +4", b"Content-Length: 4, 4",
    b"Connection: close", b"Connection: keep-alive, X", b"Transfer-Encoding: chunked", b"Transfer-Encoding:",
    b"Expect: 100-continue", b"Upgrade: h2c", b"TE: trailers", b"Proxy-Connection: keep-alive",
    b"authorization: Bearer x", b"X : y", b" folded", b"X", b"X: a\rb", b"X: a\nY: b", b"X: a\0b", b": x", b"X\xe9: a",
)  # fmt: skip
REQUESTS = (b"POST /apps/a/runs HTTP/1.1", b"GET /api/apps?q=%20 HTTP/1.1", b"PUT /x HTTP/1.0", b"HEAD / HTTP/1.1")
ANSWERS = (b"HTTP/1.1 202 Accepted", b"HTTP/1.1 200 ", b"HTTP/1.1 204 No Content", b"HTTP/1.0 200 OK", b"HTTP/1.1 99 x")


class Seen:
    """What httptools calls."""

    def __init__(self):
        self.url, self.body, self.headers, self.whole = b"", b"", [], 0

    def on_url(self, url):
        self.url += url

    def on_header(self, name, value):
        self.headers.append((name, value))

    def on_body(self, data):
        self.body += data

    def on_headers_complete(self):
        self.keep = self.parser.should_keep_alive()

    def on_message_complete(self):
        self.whole += 1


def mixed(dice, firsts):
    """A message with a body of four bytes; something of it is odd half the time."""
    lines = [b"Host: m", b"Content-Length: 4", *dice.sample(USUAL, 4)]
    if dice.random() < 0.3:
        lines[dice.randrange(len(lines))] = dice.choice(ODD)
    dice.shuffle(lines)
    raw = b"\r\n".join((dice.choice(firsts), *lines, b"", b"body"))
    if dice.random() < 0.3:
        at = dice.randrange(len(raw))
        raw = raw[:at] + bytes((dice.randrange(256),)) * dice.randrange(3) + raw[at + 1 :]
    return raw


def plain(lines):
    """Blanks round a value mean nothing."""
    return [(line.partition(b":")[0], line.partition(b":")[2].strip(b" \t")) for line in lines]


def test_a_request_is_read_as_the_parser_reads_it():
    dice, read = random.Random(7), 0
    for _ in range(6000):
        raw = mixed(dice, REQUESTS)
        found = whole_request(raw, TARGET, Limits())
        if not found:
            continue
        request, ready = found
        seen = Seen()
        parser = seen.parser = httptools.HttpRequestParser(seen)
        parser.feed_data(raw)
        assert (seen.whole, parser.get_http_version(), seen.keep) == (1, "1.1", True), raw
        assert not parser.should_upgrade()
        assert (request.method, request.target) == (parser.get_method(), seen.url)
        other = prepared(Request(request.method, seen.url, seen.headers, False, True), TARGET, 9)
        assert not isinstance(other, Wrong)
        head, _, body = ready.head.partition(b"\r\n\r\n")
        (first, *lines), (other_first, *other_lines) = head.split(b"\r\n"), other.head.split(b"\r\n")[:-2]
        assert (first, body) == (other_first, seen.body)
        assert plain(lines) == plain(other_lines)
        for name in (b"authorization", b"user-agent", b"content-length"):
            assert ready.noted.get(name, b"").strip() == other.noted.get(name, b"").strip()
        read += 1
    assert read > 500


def test_an_answer_is_read_as_the_parser_reads_it():
    dice, read = random.Random(7), 0
    for _ in range(6000):
        raw = mixed(dice, ANSWERS).replace(b"Host", b"X")
        found = whole_answer(raw)
        if not found:
            continue
        status, encoding, passed, body = found
        seen = Seen()
        parser = seen.parser = httptools.HttpResponseParser(seen)
        parser.feed_data(raw)
        assert (seen.whole, parser.get_http_version(), seen.keep) == (1, "1.1", True), raw
        lines, noted, twice = sorted_out(seen.headers)
        assert (status, body, twice & {b"content-length"}) == (parser.get_status_code(), seen.body, set())
        assert encoding.strip() == noted.get(b"content-encoding", b"").strip()
        head, _, passed_body = passed.partition(b"\r\n\r\n")
        assert passed_body == body
        assert plain(head.split(b"\r\n")[1:]) == plain(lines)
        read += 1
    assert read > 500


REQUEST = b"POST /apps/a/runs HTTP/1.1\r\nHost: m\r\nContent-Length: 4\r\n\r\nbody"


@pytest.mark.parametrize("raw", [REQUEST[:-1], REQUEST + b"G", REQUEST[:40], b"\r\n" + REQUEST, REQUEST * 2])
def test_what_is_cut_off_or_followed_is_the_parsers(raw):
    assert whole_request(REQUEST, TARGET, Limits())
    assert whole_request(raw, TARGET, Limits()) is None


@pytest.mark.parametrize("limits", [Limits(head_bytes=40), Limits(headers=1), Limits(body_bytes=3)])
def test_what_is_over_a_bound_is_the_parsers_to_refuse(limits):
    assert whole_request(REQUEST, TARGET, limits) is None
