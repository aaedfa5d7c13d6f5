"""One GET, with its retries, under a deadline that holds."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx
from pydantic import SecretStr

from flowy_watch.errors import CredentialRefused, SourceError
from flowy_watch.sources.body import parse
from flowy_watch.sources.contract import ApiOptions
from flowy_watch.sources.exchange import Again, Call, Exchange, Received
from flowy_watch.sources.pace import NEVER, Deadline, TellsTime, backoff, http_date, offset, retry_after, seconds_in

Wait = Callable[[timedelta], object]


class NoAnswer(SourceError):
    """The server could not be reached, or only said that it is in trouble."""


class NothingThere(SourceError):
    """The path leads nowhere (404)."""


class Forbidden(CredentialRefused):
    """The credential is known, and not allowed this (403)."""


@dataclass(frozen=True, slots=True)
class Answer:
    content: object
    date: datetime | None
    """What the server's clock said; None where it does not say."""
    offset: timedelta | None
    """That clock minus ours: the least difference that explains what it said."""


class Transport:
    """Gets JSON from one base URL, trying again where that may help."""

    def __init__(
        self,
        options: ApiOptions,
        *,
        clock: TellsTime,
        wait: Wait | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._clock = clock
        self._monotonic = monotonic
        self._closed = threading.Event()
        self._wait: Wait = wait or (lambda pause: self._closed.wait(pause.total_seconds()))
        self._resume_at: float | None = None
        own = any(name.lower() == "authorization" for name in options.headers)
        credential = {} if own else {"Authorization": SecretStr(f"Bearer {options.token.get_secret_value()}")}
        more_secrets = (options.token, *options.keys.query.values())
        self._exchange = Exchange(options.base_url, options.max_body, credential | options.headers, more_secrets)

    def deadline(self) -> Deadline:
        return Deadline(self._monotonic() + self._options.deadline.total_seconds(), self._monotonic)

    def close(self) -> None:
        self._closed.set()
        self._exchange.close()

    def get(self, call: Call, deadline: Deadline) -> Answer:
        """Raises SourceError; of its kinds NoAnswer, NothingThere, CredentialRefused and Forbidden say more."""
        self._respect_rate_limit(deadline)
        tries = 0
        while True:
            try:
                return self._try(call, deadline)
            except Again as again:
                tries += 1
                self._pause(call, again, deadline, tries=tries)

    def _try(self, call: Call, deadline: Deadline) -> Answer:
        asked_at = self._clock.now()
        received = self._send(call, deadline)
        answered_at = self._clock.now()
        date = http_date(received.headers.get("date", ""))
        self._note_rate_limit(received.headers, date or answered_at)
        self._judge(call, received, date or answered_at)
        try:
            content = parse(received.body)
        except SourceError as error:
            advice = f"check source.base_url and {call.option}, or what stands between"
            raise SourceError(f"the answer to {call} {error}; {advice}") from error
        return Answer(content, date, None if date is None else offset(date, asked_at, answered_at))

    def _send(self, call: Call, deadline: Deadline) -> Received:
        if self._closed.is_set():
            raise SourceError("the source is closed")
        left = deadline.left()
        if not left:
            raise SourceError(f"{call}: {self._deadline_text()} is over, the next poll tries again")
        return self._exchange.send(call, min(self._options.timeout, left))

    def _deadline_text(self) -> str:
        return f"source.deadline ({self._options.deadline.total_seconds():g} s)"

    def _pause(self, call: Call, again: Again, deadline: Deadline, *, tries: int) -> None:
        """Wait before the next try, or raise because there will be none."""
        kind = NoAnswer if again.trouble else SourceError
        if again.asked is not None and again.asked >= deadline.left():
            when = self._clock.now() + again.asked
            raise kind(
                f"{call}: {again}; Flowy asks to wait until {when:%Y-%m-%d %H:%M:%S} UTC,"
                f" longer than {self._deadline_text()} allows"
            ) from again
        if tries > self._options.retries:
            raise kind(f"{call}: {again}; tried {tries} times, the next poll tries again") from again
        pause = backoff(tries) if again.asked is None else again.asked
        if pause >= deadline.left():
            raise kind(f"{call}: {again}; {self._deadline_text()} is over, the next poll tries again") from again
        self._sleep(pause)

    def _sleep(self, pause: timedelta) -> None:
        self._wait(pause)
        if self._closed.is_set():
            raise SourceError("the source was closed while it waited")

    def _respect_rate_limit(self, deadline: Deadline) -> None:
        if self._resume_at is None:
            return
        pause = timedelta(seconds=self._resume_at - self._monotonic())
        self._resume_at = None
        if timedelta(0) < pause < deadline.left():  # otherwise just ask: the server has the last word
            self._sleep(pause)

    def _note_rate_limit(self, headers: httpx.Headers, at: datetime) -> None:
        reset = seconds_in(headers.get("x-ratelimit-reset", ""))
        self._resume_at = None
        if headers.get("x-ratelimit-remaining", "") == "0" and reset is not None:
            pause = min(max(0.0, reset - at.timestamp()), NEVER.total_seconds())
            self._resume_at = self._monotonic() + pause

    def _judge(self, call: Call, received: Received, at: datetime) -> None:
        """Raise for every status that is no success."""
        status = received.status
        if 200 <= status < 300:
            return
        said = self._said(received.body)
        if status == 401:
            raise CredentialRefused(f"{call}: the credential is refused (401){said}; replace source.token")
        if status == 403:
            raise Forbidden(
                f"{call}: the credential is not allowed this (403){said}; use an owner's or editor's in source.token"
            )
        if status == 404:
            raise NothingThere(f"{call}: not found (404){said}; check source.base_url and {call.option}")
        if status == 429 or status >= 500:
            what = "too many requests" if status == 429 else "Flowy is in trouble"
            asked = retry_after(received.headers.get("retry-after", ""), at)
            if asked is None and self._resume_at is not None:
                asked = timedelta(seconds=max(0.0, self._resume_at - self._monotonic()))
            raise Again(f"{what} ({status}){said}", asked=asked, trouble=status != 429)
        if 300 <= status < 400:
            raise SourceError(
                f"{call}: redirected ({status}), which is not followed because the token would travel;"
                " set source.base_url to the final address"
            )
        raise SourceError(f"{call}: refused ({status}){said}; trying again does not help")

    def _said(self, body: bytes) -> str:
        """What the server said about its refusal, where it said so in the documented form."""
        try:
            content = parse(body)
        except SourceError:
            return ""
        said = content.get("error") if isinstance(content, dict) else None
        text = self._exchange.safe(said) if isinstance(said, str) else ""
        return f": {text}" if text else ""
