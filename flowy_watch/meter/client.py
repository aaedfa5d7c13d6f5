"""A connection of the user's servers: what comes in is parsed here, one exchange after the other.

Longer than most: a connection is one state machine, and calls between its parts would cost time in every request.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools
import structlog

from flowy_watch.meter.answer import answer
from flowy_watch.meter.exchange import Exchange
from flowy_watch.meter.head import Headers, head_bytes
from flowy_watch.meter.request import Request
from flowy_watch.meter.tally import Key
from flowy_watch.meter.whole import whole_request

if TYPE_CHECKING:
    from flowy_watch.meter.meter import Meter

_LINGER = 2.0  # seconds in which a client that still sends may read why nobody listens
_GRACE = 1.0  # seconds in which a request may still come from who was busy when the meter was told to stop
_MOST_WAITING = 32  # requests that a client may send before it has the answer to the first
_LONGEST_KEPT = 200  # bytes of an Authorization that is remembered
_BROKEN = "The meter failed at this request"
_HIGH_WATER = 256 * 1024  # bytes of an answer that wait for a slow client

log = structlog.get_logger()


class Client(asyncio.Protocol):
    """`httptools` (llhttp, strict) parses; what it refuses is never forwarded: every request has one reading.

    Long, since asyncio's and httptools' callbacks must be one object here: each turns on what the others left.
    """

    def __init__(self, meter: "Meter") -> None:
        self.meter = meter
        self.address = ""
        """As the ledger may hold it."""
        self.full = False
        """It does not take what was written to it."""
        self.gone = False
        self._authorization: bytes | None = None
        self._key = meter.tally.nobody
        self._exchange: Exchange | None = None
        self._reading: Exchange | None = None
        self._waiting: deque[Exchange] = deque()
        self._wrong: tuple[int, str] | None = None
        self._connecting = self._upstream_full = self._paused = False
        self._half_closed = self._closing = False
        self._mute = self._unread = 0
        self._since = meter.moment
        self._in_head = self._upgrade = False
        self._target = b""
        self._fields: Headers = []
        self._headers: Headers = []

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        self._parser = httptools.HttpRequestParser(self)
        peer = transport.get_extra_info("peername")
        self.address = self.meter.labels.address(peer[0] if isinstance(peer, tuple) else "")
        if not self.meter.admit(self):
            self._closing = True
            self._transport.write(answer(503, "Too many connections", close=True))
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._closing or self._wrong:
            return
        if not (self._exchange or self._reading or self._in_head or self._waiting) and self._begin_whole(data):
            return
        self._mute += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError:
            log.exception("meter.broken")
            self._refuse(500, _BROKEN)
        except httptools.HttpParserError:
            self._refuse(400, "The request is not HTTP/1.1 as it should be")
        if self._mute > self.meter.limits.head_bytes and not self._closing:
            self._refuse(431, f"The head is larger than {self.meter.limits.head_bytes} bytes")
        if self._exchange:
            self._exchange.push()

    def _begin_whole(self, data: bytes) -> bool:
        whole = whole_request(data, self.meter.target, self.meter.limits)
        if not whole:
            return False
        request, ready = whole
        exchange = self._exchange = self._reading = Exchange(self, request)
        try:
            exchange.begin_whole(ready)
        except Exception:
            # As the parser does: what fails here must cost this request and nothing else.
            log.exception("meter.broken")
            self._refuse(500, _BROKEN)
        self._reading = None
        return True

    def eof_received(self) -> bool:
        """Who asked and then closed only its own direction still gets the answer."""
        self._half_closed = True
        return self._exchange is not None and self._exchange.request_ended and not self._closing

    def connection_lost(self, error: Exception | None) -> None:
        self.gone = True
        self.full = False
        self._waiting.clear()
        del self._parser  # it holds this object
        if self._exchange:
            self._exchange.client_lost()
        if self._exchange and self._exchange.upstream:
            self._exchange.upstream.resume()
        if not self._exchange:
            self.meter.forget(self)

    def pause_writing(self) -> None:
        self.full = True
        if self._exchange and self._exchange.upstream:
            self._exchange.upstream.pause()

    def resume_writing(self) -> None:
        self.full = False
        if self._exchange and self._exchange.upstream:
            self._exchange.upstream.resume()

    # httptools

    def on_message_begin(self) -> None:
        self._in_head, self._since = True, self.meter.moment
        self._target = b""
        self._fields = self._headers = []

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        self._in_head, self._fields = False, []  # what comes now are trailers
        if parser.should_upgrade():
            self._upgrade = True
            return
        method, old = parser.get_method(), parser.get_http_version() == "1.0"
        # A client of HTTP/1.0 that would like to be kept is not: nobody is the worse for it.
        keep = not old and parser.should_keep_alive()
        exchange = self._reading = Exchange(self, Request(method, self._target, self._headers, old, keep))
        limits = self.meter.limits
        too_large = self._mute > limits.head_bytes and _size(self._headers) > limits.head_bytes
        self._mute = 0
        if too_large or len(self._headers) > limits.headers:
            self._reading = None
            self._refuse(431, f"The head is larger than {limits.head_bytes} bytes or has over {limits.headers} fields")
        elif self._closing or self._wrong:
            self._reading = None
        elif self._exchange is None:
            self._exchange = exchange
            exchange.begin()
        else:
            self._waiting.append(exchange)
            if len(self._waiting) > _MOST_WAITING:
                self._refuse(429, "Too many requests at once on one connection")
            self._adjust()

    def on_body(self, data: bytes) -> None:
        self._mute = 0
        if self._reading:
            self._reading.send(data)

    def on_message_complete(self) -> None:
        if self._upgrade:
            return
        self._mute, self._since = 0, self.meter.moment
        reading, self._reading = self._reading, None
        if reading:
            reading.finish(self._fields)

    def _without_upgrade(self, rest: bytes) -> None:
        """An upgrade is an offer that may be ignored: the same request once more, without it. A tunnel is refused."""
        method = self._parser.get_method()
        self._upgrade = False
        if method == b"CONNECT":
            self._refuse(405, "This meter forwards to Flowy and is no proxy for anything else")
            return
        version = self._parser.get_http_version().encode()
        kept = [
            name + b": " + value
            for name, value in self._headers
            if name.lower() not in (b"upgrade", b"connection", b"http2-settings")
        ]
        first_line = b"%b %b HTTP/%b" % (method, self._target, version)
        self._parser = httptools.HttpRequestParser(self)
        self.data_received(head_bytes(first_line, kept) + rest)

    # What an exchange asks for

    def key_of(self, authorization: bytes | None) -> Key:
        """Most clients come with one key again and again, which is remembered while they are connected."""
        if authorization == self._authorization and self._key.accepted:
            return self._key
        key = self.meter.tally.key_of(authorization)
        if authorization and len(authorization) <= _LONGEST_KEPT:
            self._authorization, self._key = authorization, key
        return key

    @property
    def unread(self) -> int:
        """Bytes of answers that the client has not taken."""
        return self._transport.get_write_buffer_size()

    def write(self, data: list[bytes]) -> None:
        if not self.gone:
            self._transport.write(data[0] if len(data) == 1 else b"".join(data))

    def hold_connecting(self) -> None:
        self._connecting = True
        self._adjust()

    def release_connecting(self) -> None:
        if self._connecting:
            self._connecting = False
            self._adjust()

    def hold_full(self, full: bool) -> None:
        """The upstream does not take what was written to it, or does again."""
        self._upstream_full = full
        self._adjust()

    def _adjust(self) -> None:
        wanted = self._connecting or self._upstream_full or bool(self._waiting)
        if wanted != self._paused and not self.gone and not self._transport.is_closing():
            self._paused = wanted
            if wanted:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def exchange_over(self, exchange: Exchange) -> None:
        if exchange is not self._exchange:
            return
        self._exchange = None
        self._connecting = self._upstream_full = False
        self._since = self.meter.moment
        if self.gone:
            self.meter.forget(self)
        elif not exchange.keep or (self._half_closed and not self._waiting):
            self._close(linger=not exchange.request_ended or self._wrong is not None)
        elif self._waiting:
            # Not at once: a chain of a thousand answers would be a thousand calls deep.
            asyncio.get_running_loop().call_soon(self._next)
        elif self._wrong:
            self._refuse(*self._wrong)
        elif self._paused:
            self._adjust()

    def _next(self) -> None:
        if self._exchange or self.gone or not self._waiting:
            return
        self._exchange = self._waiting.popleft()
        self._exchange.begin()
        if self._exchange:
            self._exchange.push()
        self._adjust()

    def sweep(self, seconds: float) -> None:
        """Give up on a client that does nothing for too long."""
        limits = self.meter.limits
        if self._closing:
            if self.unread != self._unread:  # it still takes what it is given, however slowly
                self._unread, self._since = self.unread, seconds
            if seconds - self._since > (limits.silence_seconds if self.unread else _LINGER):
                self._transport.abort()
        elif self._exchange:
            self._exchange.sweep(seconds)
        elif self._in_head:
            if seconds - self._since > limits.head_seconds:
                self._refuse(408, "The head of the request did not come in time")
        elif seconds - self._since > (_GRACE if self.meter.draining else limits.idle_seconds):
            self._close(linger=False)

    def abort(self) -> None:
        self._transport.abort()

    def _refuse(self, status: int, error: str) -> None:
        """What cannot be read: said after the answers that are due, then nothing more is read from here."""
        current = self._exchange
        if self._closing:
            return  # it has been told something already
        if current is None:
            self._closing = True
            self.write([answer(status, error, close=True)])
            self._close(linger=True)
        elif current is self._reading:
            self._reading = None
            current.keep = False
            current.abandon(status, error)
        else:
            self._wrong = status, error
            self._reading = None

    def _close(self, *, linger: bool) -> None:
        """Closing at once on a client that still sends would take from it what it has not read yet."""
        self._closing = True
        self._since = self.meter.moment
        if not linger or self._half_closed or not self._transport.can_write_eof():
            self._transport.close()
        else:
            self._connecting = self._upstream_full = False
            self._waiting.clear()
            self._adjust()
            try:
                self._transport.write_eof()
            except OSError:  # it has reset the connection, of which the event loop has not heard yet
                self._transport.abort()


def _size(headers: Headers) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)
