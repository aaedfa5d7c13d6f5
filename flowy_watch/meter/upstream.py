"""Connections to Flowy, and those that wait for the next request."""

import asyncio
import os
import ssl
from asyncio.sslproto import SSLProtocol
from asyncio.trsock import TransportSocket
from typing import TYPE_CHECKING, cast

import httptools
import structlog

from flowy_watch.meter.exchange import Exchange
from flowy_watch.meter.head import Headers
from flowy_watch.meter.whole import whole_answer

if TYPE_CHECKING:
    from flowy_watch.meter.meter import Meter

_HIGH_WATER = 256 * 1024  # bytes of a request that wait for a slow upstream
_MOST_HEAD = 256 * 1024
_MOST_IDLE = 256
# A request that must not be sent twice gets no connection that the other side may be closing in this moment; servers
# close idle ones after five seconds and more.
_FRESH, _OLDEST = 3.0, 30.0

log = structlog.get_logger()


class Upstream(asyncio.Protocol):
    def __init__(self, meter: "Meter") -> None:
        self._meter = meter
        self.exchange: Exchange | None = None
        self.idle_since = 0.0
        self._used = False
        self._parser = httptools.HttpResponseParser(self)
        self._prepare()

    def _prepare(self) -> None:
        """For the next answer."""
        self._reason, self._headers, self._trailers = b"", cast(Headers, []), cast(Headers, [])
        self._in_head, self._begun, self._complete, self._parsed, self._keep = True, False, False, False, True
        self._mute = 0

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        tls = getattr(transport, "_ssl_protocol", None)  # asyncio's own, which has no public name
        if isinstance(tls, SSLProtocol):
            self._unpack_when_lost(tls)

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            self.abort()  # nobody asked
            return
        if not self._begun:
            self._begun = True
            if self._is_whole(data, exchange):
                return
        self._mute += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if isinstance(error, httptools.HttpParserCallbackError):
                log.exception("meter.broken")
            self._keep = False
            if not self._complete:
                exchange.pull()
                exchange.abandon(502, "Flowy's answer could not be understood")
        if self._mute > _MOST_HEAD:
            exchange.abandon(502, "The head of Flowy's answer is too large")
        if self._complete:
            exchange.ended(self._trailers)
        else:
            exchange.pull()

    def _is_whole(self, data: bytes, exchange: Exchange) -> bool:
        """Whether that was all of an answer, and is handed on."""
        whole = whole_answer(data)
        if not whole:
            return False
        self._complete = self._parsed = True
        try:
            if exchange.answered_whole(*whole):
                return True
        except Exception:
            # As the parser does: what fails here must cost this request and nothing else.
            log.exception("meter.broken")
            self._keep = False
            exchange.abandon(502, "The meter failed at Flowy's answer")
            return True
        self._complete = self._parsed = False
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._meter.pool.forget(self)
        if error and self.exchange and (left := self._left()):
            self.data_received(left)
        del self._parser  # it holds this object
        exchange, self.exchange = self.exchange, None
        if exchange:
            exchange.lost(unused=self._used and not self._begun)

    def _left(self) -> bytes:
        """What came before the other side closed, when we learnt of that by writing: an early answer, often."""
        return b"" if self._meter.target.tls else self._unread_bytes()

    def _unpack_when_lost(self, tls: SSLProtocol) -> None:
        """As `_left`, before `tls` hears of the loss: after that nobody can unpack what lies in the socket."""

        def connection_lost(error: BaseException | None) -> None:
            del tls.connection_lost
            left = self._unread_bytes() if error else b""
            if left:
                tls.get_buffer(len(left))[: len(left)] = left
                tls.buffer_updated(len(left))
            tls.connection_lost(error)

        tls.connection_lost = connection_lost  # type: ignore[assignment, method-assign]  # of this one alone

    def _unread_bytes(self) -> bytes:
        left = self._transport.get_extra_info("socket")
        if not isinstance(left, TransportSocket):
            return b""
        try:
            return os.read(left.fileno(), _MOST_HEAD)
        except OSError:
            return b""

    def pause_writing(self) -> None:
        if self.exchange:
            self.exchange.hold(full=True)

    def resume_writing(self) -> None:
        if self.exchange:
            self.exchange.hold(full=False)

    # httptools

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        (self._headers if self._in_head else self._trailers).append((name, value))

    def on_headers_complete(self) -> None:
        if self._complete or not self.exchange:
            self._keep = False  # a second answer to one request
            return
        parser, status = self._parser, self._parser.get_status_code()
        reason, headers = self._reason, self._headers
        self._mute = 0
        if status < 200:
            self._reason, self._headers = b"", []
        else:
            self._in_head = False
            self._keep = parser.should_keep_alive()
        self.exchange.answered(status, reason, headers)
        if status >= 200 and self.exchange and self.exchange.bodiless:
            self._complete = True

    def on_body(self, data: bytes) -> None:
        self._mute = 0
        if self._complete:
            self._keep = False  # a body where there is none
        elif self.exchange:
            self.exchange.received(data)

    def on_message_complete(self) -> None:
        if not self._in_head:
            self._complete = self._parsed = True

    # What an exchange and the pool ask for

    @property
    def is_open(self) -> bool:
        return not self._transport.is_closing()

    @property
    def unread(self) -> int:
        """Bytes of a request that the other side has not taken."""
        return self._transport.get_write_buffer_size()

    def write(self, data: list[bytes]) -> None:
        self._transport.write(data[0] if len(data) == 1 else b"".join(data))

    def pause(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def abort(self) -> None:
        self._transport.abort()

    def rest(self, seconds: float) -> bool:
        """Whether the next exchange may have it: its answer came to a clean end, or it was never used."""
        unused = not self._begun
        if self._transport.is_closing() or not (unused or (self._keep and self._complete)):
            return False
        if not self._parsed:
            self._parser = httptools.HttpResponseParser(self)  # the old one waits for a body that HEAD does not get
        self._prepare()
        self._used = True
        self.idle_since = seconds
        self.resume()
        return True


class Pool:
    """Connections that are kept for the next request, the latest first."""

    def __init__(self, meter: "Meter") -> None:
        self._meter = meter
        self._idle: list[Upstream] = []
        self._all: set[Upstream] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._trouble = False

    def serve(self, exchange: Exchange, *, safe: bool) -> None:
        """Give it a connection, now or when there is one; it is told to abandon where there will be none."""
        oldest = self._meter.moment - (_OLDEST if safe else _FRESH)
        while self._idle and self._idle[-1].idle_since >= oldest:
            upstream = self._idle.pop()
            if upstream.is_open:
                exchange.take(upstream)
                return
        task = asyncio.get_running_loop().create_task(self._connect(exchange))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def release(self, upstream: Upstream) -> None:
        if len(self._idle) < _MOST_IDLE and not self._meter.draining and upstream.rest(self._meter.moment):
            self._idle.append(upstream)
        else:
            upstream.abort()

    @property
    def size(self) -> int:
        return len(self._all)

    def forget(self, upstream: Upstream) -> None:
        self._all.discard(upstream)
        if upstream in self._idle:
            self._idle.remove(upstream)

    def sweep(self, seconds: float) -> None:
        for upstream in [each for each in self._idle if seconds - each.idle_since > _OLDEST]:
            upstream.abort()

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for upstream in list(self._all):
            upstream.abort()

    async def _connect(self, exchange: Exchange) -> None:
        target, limits = self._meter.target, self._meter.limits
        try:
            async with asyncio.timeout(limits.connect_seconds):
                _, upstream = await asyncio.get_running_loop().create_connection(
                    lambda: Upstream(self._meter), target.host, target.port, ssl=target.tls
                )
        except TimeoutError:
            self._told("it did not answer in time")
            exchange.abandon(504, "Flowy could not be reached in time")
        except ssl.SSLError as error:
            self._told(f"its certificate was not accepted ({error.reason or 'TLS'})")
            exchange.abandon(502, "Flowy's certificate was not accepted")
        except OSError as error:
            self._told(error.strerror or type(error).__name__)
            exchange.abandon(502, "Flowy could not be reached")
        else:
            self._told("")
            self._all.add(upstream)
            exchange.take(upstream)
            exchange.push()

    def _told(self, reason: str) -> None:
        """Once per change: every request is tried."""
        if bool(reason) == self._trouble:
            return
        self._trouble = bool(reason)
        if reason:
            log.warning("meter.upstream.unreachable", host=self._meter.target.host, reason=reason)
        else:
            log.info("meter.upstream.reached", host=self._meter.target.host)
