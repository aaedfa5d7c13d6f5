"""The source `probe`: Flowy's documented API, asked with each key itself."""

import statistics
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from flowy_watch.clock import SystemClock
from flowy_watch.core.check import Check
from flowy_watch.core.provenance import Figure, From, Knowledge, Provenance, Sure
from flowy_watch.core.usage import ALL_KEYS, KeyStatus, Reading, Skipped, Snapshot, clean_name
from flowy_watch.errors import SourceError
from flowy_watch.ledger import fingerprint_of
from flowy_watch.sources.body import parse
from flowy_watch.sources.contract import BASE_URL, BaseUrl, HeaderValue, Span
from flowy_watch.sources.exchange import Again, Call, Exchange, Received
from flowy_watch.sources.memory import KeySeen, Memory
from flowy_watch.sources.pace import Deadline, TellsTime, http_date, offset, retry_after
from flowy_watch.sources.quota import MINUTE, Quota
from flowy_watch.sources.runs import AppRuns, listed_apps

NAME = "probe"
_DEFAULTS = {"flowy_pk_": 120}
_DEFAULT = 60  # requests per minute of a secret key
_STALE = timedelta(minutes=5)  # what a key was at its last answer is told for so long
_GIVE_UP = 3  # keys in a row without an answer: then it is not the keys
_CONFIRMED = 2  # answers of 401 in a row


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ProbedKey(_Options):
    """`[source.keys.<name>]`: one key, under the name that people know it by."""

    token: HeaderValue
    """The key itself. It is sent to Flowy and nowhere else, and never stored."""


class ProbeOptions(_Options):
    """`[source]` of kind `probe`."""

    base_url: BaseUrl = BASE_URL
    keys: Annotated[dict[str, ProbedKey], Field(min_length=1)]
    prices: dict[str, Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]] = Field(default_factory=dict)
    """Credits of one run, by the id or slug of its app; `*` is every other app. Empty: no spend is told."""
    memory: Path = Path("flowy-probe.json")
    """What is known between polls: counters and times, no key."""
    timeout: Span = timedelta(seconds=5)
    """For one whole request."""
    deadline: Span = timedelta(seconds=45)
    """For a whole pull."""
    max_body: int = Field(default=8 * 1024 * 1024, ge=1024, json_schema_extra={"unit": "bytes"})
    """Bytes of one answer, counted after decompression."""

    @model_validator(mode="after")
    def _each_once(self) -> "ProbeOptions":
        if len({key.token.get_secret_value() for key in self.keys.values()}) < len(self.keys):
            raise ValueError("names one key twice in source.keys; each stands once, under one name")
        return self


@dataclass(frozen=True, slots=True)
class _Key:
    key_id: str
    name: str
    secret: str = field(repr=False)

    @property
    def usual_limit(self) -> int:
        return next((limit for shape, limit in _DEFAULTS.items() if self.secret.startswith(shape)), _DEFAULT)


class _NotAsked(Exception):
    """This key is unknown in this poll; says why."""


class ProbeSource:
    """Asks `GET /apps` with each key: whether Flowy takes it, and by its rate limit whether others use it now.

    Knows no spend of a key. With prices the workspace's is told from the run counters, as that of all keys together.
    """

    Config = ProbeOptions
    knows: ClassVar[Knowledge] = {
        Figure.LAST_USED: Sure.LEAST,
        Figure.STATUS: Sure.EXACT,
        Figure.RATE_LIMIT: Sure.EXACT,
    }

    def __init__(
        self,
        config: ProbeOptions,
        clock: TellsTime | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._clock, self._monotonic = config, clock or SystemClock(), monotonic
        self._keys = [
            _Key(fingerprint_of(secret), clean_name(name), secret)
            for name, key in config.keys.items()
            for secret in (key.token.get_secret_value(),)
        ]
        tokens = [key.token for key in config.keys.values()]
        self._exchange = Exchange(config.base_url, config.max_body, {}, tokens)
        self._memory = Memory.load(config.memory)
        self._offset: timedelta | None = None

    def __repr__(self) -> str:
        return "ProbeSource()"

    def close(self) -> None:
        self._exchange.close()

    def pull(self, now: datetime) -> Reading:
        reasons, apps = self._look(now)
        if apps is not None:
            self._memory.runs.add(apps, self._config.prices, now)
        self._memory.save(self._config.memory)
        snapshots, skipped = [], []
        for key in self._keys:
            seen = self._memory.of(key.key_id)
            fresh = seen.answered_at is not None and self._clock.now() - seen.answered_at <= _STALE
            if key.key_id in reasons and not (reasons[key.key_id] == "" and fresh):
                skipped.append(Skipped(key.key_id, reasons[key.key_id] or "was asked too lately to be asked again"))
            else:
                snapshots.append(_snapshot(key, seen, now))
        provenance = {s.key_id: self._provenance(s.key_id) for s in snapshots}
        if self._config.prices:
            snapshots.append(Snapshot(ALL_KEYS, "all keys together", now, self._memory.runs.today(now)))
            sure = Sure.LEAST if self._memory.runs.unpriced else Sure.BY_PRICE
            provenance[ALL_KEYS] = Provenance({Figure.SPENT: From(NAME, sure)}, {NAME: ALL_KEYS})
        return Reading(now, tuple(snapshots), skipped=tuple(skipped), clock_offset=self._offset, provenance=provenance)

    def check(self, now: datetime) -> Iterable[Check]:
        try:
            reasons, apps = self._look(now)
        except SourceError as error:
            yield Check("reachable", ok=False, detail=f"{error}; check source.base_url and the network")
            return
        self._memory.save(self._config.memory)
        yield Check("reachable", ok=True)
        for key in self._keys:
            yield self._key_line(key, reasons.get(key.key_id))
        told = [key.name for key in self._keys if self._memory.of(key.key_id).asked.quota]
        headers = "" if told else "Flowy tells no X-RateLimit headers: use by others cannot be seen"
        yield Check("use by others can be seen", ok=bool(told), detail=headers)
        if self._config.prices and apps is not None:
            yield _priced(apps, self._config.prices.keys())
        yield Check("memory kept", ok=self._memory.kept, detail="" if self._memory.kept else f"{self._memory.trouble}")

    def _look(self, now: datetime) -> tuple[dict[str, str], list[AppRuns] | None]:
        """Ask with every key that may, the longest unasked first: why some are unknown, and the apps.

        The reason is empty where a key was not asked because it was asked lately. Raises SourceError when no key that
        was asked had an answer.
        """
        deadline = Deadline(self._monotonic() + self._config.deadline.total_seconds(), self._monotonic)
        reasons: dict[str, str] = {}
        offsets: list[float] = []
        apps: list[AppRuns] | None = None
        answered = failed = 0
        for key in sorted(self._keys, key=lambda key: self._turn(key)):
            asked = self._memory.of(key.key_id).asked
            if not asked.may_ask(self._clock.now()):
                reasons[key.key_id] = ""
                continue
            if not deadline.left():
                reasons[key.key_id] = "source.deadline was over before its turn came"
                continue
            try:
                listed, off = self._ask(key, now, deadline)
            except _NotAsked as why:
                reasons[key.key_id] = str(why)
                failed += 1
                if failed >= _GIVE_UP and not answered:
                    break
                continue
            answered += 1
            if off is not None:
                offsets.append(off)
            if apps is None:
                apps = listed
        if failed and not answered:
            raise SourceError(f"no key had an answer; {next(why for why in reasons.values() if why)}")
        if offsets:
            self._offset = timedelta(seconds=statistics.median(offsets))
        return reasons, apps

    def _turn(self, key: _Key) -> float:
        at = self._memory.of(key.key_id).asked.at
        return at.timestamp() if at else 0.0

    def _ask(self, key: _Key, now: datetime, deadline: Deadline) -> tuple[list[AppRuns] | None, float | None]:
        """What one key is answered, noted in the memory. Raises _NotAsked when that says nothing about the key."""
        seen = self._memory.of(key.key_id)
        for _ in range(_CONFIRMED):
            asked_at = self._clock.now()
            received = self._send(key, seen, deadline)
            answered_at = self._clock.now()
            date = http_date(received.headers.get("date", ""))
            others = seen.asked.hear(Quota.told(received.headers), answered_at, date or answered_at)
            off = None if date is None else offset(date, asked_at, answered_at).total_seconds()
            if received.status == 401 and _documented(received):
                if seen.status is KeyStatus.REVOKED:
                    break
                continue  # one such answer may be a slip of theirs, and alerts hang on it
            if received.status == 429:
                asked = retry_after(received.headers.get("retry-after", ""), date or answered_at)
                seen.asked.wait(asked or MINUTE, answered_at)
                seen.answer(KeyStatus.ACTIVE, answered_at, used_at=now)  # not by us: we ask too seldom for that
                return None, off
            apps = listed_apps(_content(received)) if received.status == 200 else None
            if apps is None:
                raise _NotAsked(_trouble(received.status))
            seen.answer(KeyStatus.ACTIVE, answered_at, used_at=now if others else None)
            return apps, off
        seen.answer(KeyStatus.REVOKED, answered_at)
        return None, off

    def _send(self, key: _Key, seen: KeySeen, deadline: Deadline) -> Received:
        left = deadline.left()
        if not left:
            raise _NotAsked("source.deadline was over before its turn came")
        seen.asked.ask(self._clock.now())
        call = Call("/apps", "source.base_url", {}, {"Authorization": f"Bearer {key.secret}"})
        try:
            return self._exchange.send(call, min(self._config.timeout, left))
        except (Again, SourceError) as error:
            raise _NotAsked(str(error)) from None

    def _provenance(self, key_id: str) -> Provenance:
        return Provenance({figure: From(NAME, sure) for figure, sure in self.knows.items()}, {NAME: key_id})

    def _key_line(self, key: _Key, reason: str | None) -> Check:
        seen = self._memory.of(key.key_id)
        name = f"key {key.name}"
        if reason:
            return Check(name, ok=False, detail=reason)
        if seen.status is KeyStatus.REVOKED:
            detail = "Flowy refuses it (401): revoked, expired or mistyped; replace its token or take it out"
            return Check(name, ok=False, detail=detail)
        limit = f"{seen.asked.quota.limit} requests a minute" if seen.asked.quota else ""
        return Check(name, ok=True, detail="asked less than a minute ago" if reason == "" else limit)


def _snapshot(key: _Key, seen: KeySeen, now: datetime) -> Snapshot:
    quota = seen.asked.quota
    limit = None if quota is None or quota.limit == key.usual_limit else quota.limit
    return Snapshot(key.key_id, key.name, now, None, seen.used_at, None, seen.status, limit, None, key.secret[-4:])


def _documented(received: Received) -> bool:
    """Whether an error has the documented form: something between may answer 401 for reasons of its own."""
    content = _content(received)
    return isinstance(content, dict) and isinstance(content.get("error"), str)


def _content(received: Received) -> object:
    with suppress(SourceError):
        return parse(received.body)
    return None


def _trouble(status: int) -> str:
    if status == 200:
        return "GET /apps: the answer lists no apps; check source.base_url"
    if 300 <= status < 400:
        return f"GET /apps: redirected ({status}), which is not followed because the key would travel"
    what = {401: "refused, but not by Flowy", 403: "not allowed", 404: "not found; check source.base_url"}
    return f"GET /apps: {what.get(status, 'Flowy is in trouble' if status >= 500 else 'refused')} ({status})"


def _priced(apps: Iterable[AppRuns], prices: Iterable[str]) -> Check:
    named = set(prices)
    without = [app.slug or app.app_id for app in apps if "*" not in named and not named & {app.app_id, app.slug}]
    if not without:
        return Check("every app has a price", ok=True)
    few = ", ".join(clean_name(name) for name in without[:5]) + (" and others" if len(without) > 5 else "")
    return Check("every app has a price", ok=False, detail=f"{few}: their runs are left out; set source.prices")
