"""One request and its answer, on their way through.

Longer than most: a request and its answer flow at the same time, and each end of one decides about the other.
"""

from typing import TYPE_CHECKING
from uuid import uuid4

from flowy_watch.ledger import Outcome
from flowy_watch.meter.answer import answer
from flowy_watch.meter.errand import NOTHING, errand_of
from flowy_watch.meter.guard import Reservation
from flowy_watch.meter.head import CHUNKED, CLOSE, Headers, chunk, head_bytes, last_chunk, sorted_out
from flowy_watch.meter.peek import Peek, data_of
from flowy_watch.meter.request import Prepared, Request, Wrong, prepared

if TYPE_CHECKING:
    from flowy_watch.meter.client import Client
    from flowy_watch.meter.upstream import Upstream

_SMALL = 64 * 1024  # bytes of a body that are kept until there is a connection, or waited for before a refusal
_SAFE = frozenset((b"GET", b"HEAD", b"OPTIONS"))  # asked again when a kept connection turns out to be closed
_NOT_READY = Prepared(b"", {}, chunked=False)
_OUTCOMES: dict[object, Outcome] = {"completed": Outcome.COMPLETED, "failed": Outcome.FAILED}


class Exchange:
    """From the head of a request to the end of its answer. Everything here runs on the event loop.

    The client's side calls `begin`, `send`, `finish`, `push` and `client_lost`, the upstream's side `answered`,
    `received`, `ended`, `pull` and `lost`. Nothing is held back: what one read brought leaves in one write. What came
    whole takes the short way (`begin_whole`, `answered_whole`). All of it turns on the same few flags, which is why it
    is one class, and long.
    """

    def __init__(self, client: "Client", request: Request) -> None:
        self._client, self._meter, self._request = client, client.meter, request
        self._key, self._errand = client.meter.tally.nobody, NOTHING
        self._ready = _NOT_READY
        self._reservation: Reservation | None = None
        self._take_chunks = self._until_eof = False
        self._left = client.meter.limits.body_bytes
        self._pending: list[bytes] = []
        self._pending_bytes = self._unsent = 0
        self._own: tuple[int, str, Headers] | None = None
        self._out: list[bytes] = []
        self._peek: Peek | None = None
        self.upstream: Upstream | None = None
        self.request_ended = self.answering = self.bodiless = self.over = False
        self.keep = request.keep_alive
        """Whether the client's connection may be used again."""
        self.moved_at = client.meter.moment
        """When something last went on."""

    # The request

    def begin(self) -> None:
        ready = prepared(self._request, self._meter.target, self._meter.limits.body_bytes)
        if isinstance(ready, Wrong):
            self.keep = False
            self._answer_self(ready.status, ready.error)
        else:
            self._forward(ready)

    def begin_whole(self, ready: Prepared) -> None:
        """In place of `begin`, `send`, `finish` and `push`: the head of `ready` is the body's too."""
        self.request_ended = True
        self._forward(ready)
        self.push()

    def _forward(self, ready: Prepared) -> None:
        meter, now = self._meter, self._meter.clock.now()
        self._ready = ready
        self._key = self._client.key_of(ready.noted.get(b"authorization"))
        self._errand = errand_of(self._request.method, self._request.target)
        stop = meter.guard.stop(self._key, self._errand.app_id, now)
        if stop:
            meter.tally.stopped(self._key, self._errand, stop.status, now)
            self._answer_self(stop.status, stop.error, stop.headers)
            return
        self._reservation = meter.guard.reserve(self._key, self._errand.app_id, now)
        meter.pool.serve(self, safe=self.is_safe)

    @property
    def is_safe(self) -> bool:
        return self._request.method in _SAFE and not self._ready.has_body

    def take(self, upstream: "Upstream") -> None:
        """`upstream` is this exchange's alone from now on."""
        if self.over:
            self._meter.pool.release(upstream)
            return
        self.upstream, upstream.exchange = upstream, self
        self.moved_at = self._meter.moment
        self._pending.insert(0, self._ready.head)
        self._client.release_connecting()

    def send(self, data: bytes) -> None:
        """A piece of the request's body."""
        if self._own or self.over:
            return
        self._left -= len(data)
        if self._left < 0:
            self.abandon(413, f"The body is larger than {self._meter.limits.body_bytes} bytes")
            return
        self._pending.append(chunk(data) if self._ready.chunked else data)
        if not self.upstream:
            self._pending_bytes += len(data)
            if self._pending_bytes > _SMALL:
                self._client.hold_connecting()

    def finish(self, trailers: Headers) -> None:
        """The request is whole."""
        self.request_ended = True
        self.moved_at = self._meter.moment
        if self.over:
            return
        if self._own:
            self._say()
        elif self._ready.chunked:
            self._pending.append(last_chunk(trailers))

    def push(self) -> None:
        """Send on what is here."""
        if self.upstream and self._pending:
            self.moved_at = self._meter.moment
            self.upstream.write(self._pending)
            self._pending = []

    def abandon(self, status: int, error: str) -> None:
        """The exchange cannot go on: say so where an answer has not begun, else hang up in the middle of it."""
        if self.over:
            return
        if self._own:  # and the rest of the request does not come
            self.keep = False
            self._say()
            return
        if self.answering:
            self.keep = False
            self._end(reuse=False)
            return
        self._unanswered(counted=status >= 500)
        self.keep = self.keep and self.request_ended
        self._answer_self(status, error)

    def hold(self, *, full: bool) -> None:
        """The upstream does not take what was written to it, or does again."""
        self._client.hold_full(full)

    def client_lost(self) -> None:
        """What was asked for in full may have been done: its answer is still counted."""
        if self._own or not self.request_ended or not self.upstream:
            if not self.answering:
                self._unanswered(counted=False)
            self._end(reuse=False)
        elif self.answering and self._peek is None:
            self._end(reuse=False)

    # The answer

    def answered(self, status: int, reason: bytes, headers: Headers) -> None:
        """The head of an answer, or of one that only announces another (1xx)."""
        lines, noted, twice = sorted_out(headers)
        first_line = b"HTTP/1.1 %d %b" % (status, reason)
        self.moved_at = self._meter.moment
        if status < 200 and status != 101:
            if not self._request.old:
                self._out.append(head_bytes(first_line, lines))
            return
        coding = noted.get(b"transfer-encoding", b"").lower()
        if coding not in (b"", b"chunked") or b"content-length" in twice or status == 101:
            self.abandon(502, "Flowy's answer could not be understood")
            return
        self.answering = True
        self._count(status)
        if self._is_told(status):
            self._peek = Peek(noted.get(b"content-encoding", b""))
        self.bodiless = self._request.method == b"HEAD" or status in (204, 304)
        self._until_eof = not self.bodiless and not coding and b"content-length" not in noted
        if coding:
            if self._request.old:
                self.keep = False
            else:
                lines.append(CHUNKED)
                self._take_chunks = not self.bodiless
        if self._until_eof or not self.request_ended or self._meter.draining:
            self.keep = False
        if not self.keep:
            lines.append(CLOSE)
        self._out.append(head_bytes(first_line, lines))

    def answered_whole(self, status: int, encoding: bytes, raw: bytes, body: bytes) -> bool:
        """In place of `answered`, `received` and `ended`; False where the answer must be changed on its way."""
        if not self.request_ended or not self.keep or self._meter.draining or self._request.method == b"HEAD":
            return False
        self._count(status)
        self.answering = True
        self._client.write([raw])
        self._end(reuse=True)
        if self._is_told(status):
            self._look(data_of(body, encoding))
        return True

    def _count(self, status: int) -> None:
        meter, now = self._meter, self._meter.clock.now()
        self._answered_at = now
        origin = self._client.address, meter.labels.agent(self._ready.noted.get(b"user-agent", b""))
        meter.tally.answered(self._key, self._errand, status, origin, now)
        if self._reservation:
            self._reservation.settle(accepted=status == 202, now=now)
            self._reservation = None

    def _is_told(self, status: int) -> bool:
        """Whether the answer says something of a run."""
        return (status == 202 and self._errand.app_id != "") or (status == 200 and self._errand.run_id != "")

    def received(self, data: bytes) -> None:
        """A piece of the answer's body."""
        if self._peek:
            self._peek.add(data)
        self._out.append(chunk(data) if self._take_chunks else data)

    def pull(self) -> None:
        """Hand on what is here."""
        if self._out and not self.over:
            self.moved_at = self._meter.moment
            self._client.write(self._out)
            if self._client.gone and self.answering and (self._peek is None or self._peek.is_full):
                self._end(reuse=False)
        self._out = []

    def ended(self, trailers: Headers) -> None:
        """The answer is whole."""
        if self.over:
            return
        if self._take_chunks:
            self._out.append(last_chunk(trailers))
        self.pull()
        self._end(reuse=self.request_ended)

    def lost(self, *, unused: bool) -> None:
        """The upstream hung up; `unused`: without a byte of an answer, on a connection that was kept from before."""
        self.upstream = None
        if self.over:
            return
        if self.answering and self._until_eof:
            self.ended([])
        elif unused and self.is_safe and not self.answering:
            self._pending = []
            self._meter.pool.serve(self, safe=False)
            self.push()
        else:
            self.abandon(502, "Flowy hung up before it answered")

    def sweep(self, seconds: float) -> None:
        """Give up on a side that does nothing for too long."""
        limits, unsent = self._meter.limits, self._client.unread + (self.upstream.unread if self.upstream else 0)
        if unsent != self._unsent:  # somebody takes something, however slowly
            self._unsent, self.moved_at = unsent, seconds
        waited = seconds - self.moved_at
        if self._client.full or not self.request_ended:
            if waited > limits.silence_seconds:
                self.abandon(408, "The request did not come to its end in time")
        elif waited > limits.answer_seconds:
            self.abandon(504, "Flowy did not answer in time")

    def _look(self, data: dict[str, object]) -> None:
        """What a small answer says about a run."""
        now, run_id, status = self._answered_at, data.get("runId"), data.get("status")
        if self._errand.app_id:
            known = isinstance(run_id, str) and 0 < len(run_id) <= 100
            # One whose id was not to be seen started all the same, at this time.
            self._meter.tally.run_started(self._key, self._errand.app_id, str(run_id) if known else f"?{uuid4()}", now)
        elif isinstance(status, str) and status in _OUTCOMES:
            self._meter.tally.run_ended(self._errand.run_id, _OUTCOMES[status], now)

    def _unanswered(self, *, counted: bool) -> None:
        now = self._meter.clock.now()
        if counted:
            self._meter.tally.unanswered(self._key, self._errand, now)
        if self._reservation:
            self._reservation.settle(accepted=False, now=now)
            self._reservation = None

    def _answer_self(self, status: int, error: str, headers: Headers | None = None) -> None:
        """Once the request is whole where the rest of it is short, else at once, and nothing more is read."""
        self._drop_upstream(reuse=False)
        self._pending = []
        self._own = status, error, headers or []
        ready = self._ready
        short = (
            ready is not _NOT_READY and not ready.chunked and ready.length <= _SMALL and b"expect" not in ready.noted
        )
        if self.request_ended or not short:
            self.keep = self.keep and self.request_ended
            self._say()

    def _say(self) -> None:
        if self._own is None:
            return
        status, error, headers = self._own
        self.keep = self.keep and not self._meter.draining
        head_only = self._request.method == b"HEAD"
        self._client.write([answer(status, error, headers, close=not self.keep, head_only=head_only)])
        self._end(reuse=False)

    def _end(self, *, reuse: bool) -> None:
        if self.over:
            return
        self.over = True
        self._drop_upstream(reuse=reuse)
        self._client.exchange_over(self)
        if self._peek:
            self._look(self._peek.data())

    def _drop_upstream(self, *, reuse: bool) -> None:
        upstream, self.upstream = self.upstream, None
        if upstream:
            upstream.exchange = None
            if reuse:
                self._meter.pool.release(upstream)
            else:
                upstream.abort()
