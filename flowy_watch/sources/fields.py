"""One listed item, believed or not: how it becomes a snapshot.

A little longer than other files: each field's rule stands beside the one place that applies it.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TypeVar

from flowy_watch.core.redact import HIDDEN, redact
from flowy_watch.core.usage import KeyStatus, Microcredits, Skipped, Snapshot, clean_name, credits_to_micro
from flowy_watch.sources.contract import FieldOptions
from flowy_watch.sources.expression import ABSENT, CannotApply, Reader, reader

T = TypeVar("T")

TWICE = "listed twice with different figures"
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # zero times (0001-01-01) mean "never" in some languages, and break zones
_FASTEST = 1_000_000_000  # requests per minute
_LONGEST_ID = 200
_REMEMBERED = 50_000
_LONGEST_REMEMBERED = 400

_STATUSES = {str(status): status for status in KeyStatus}
_SHAPES = ("flw_sk_", "flowy_pk_", "flowy_")
_ABBREVIATED = re.compile(r"…|\.\.|\*|•|·")
_ALPHANUMERICS = re.compile(r"[A-Za-z0-9]")


class Unbelievable(Exception):
    """This key is left out; says why without any of its values."""


class _Remembered(dict[str, T]):
    """What `make` made of a text, so that 10,000 unchanged names, ids and times cost a lookup each.

    A text that had to be cleaned is not remembered: what was taken out may be a secret.
    """

    def __init__(self, make: Callable[[str], T]) -> None:
        self._make = make

    def __missing__(self, raw: str) -> T:
        value = self._make(raw)
        if (value == raw or not isinstance(value, str)) and len(raw) <= _LONGEST_REMEMBERED:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[raw] = value
        return value


class KeyFields:
    """Turns listed items into snapshots. Keeps what texts came to between pulls, at most 50,000 of each."""

    def __init__(self, options: FieldOptions) -> None:
        self._options = options
        self._read_id = reader(options.id)
        self._read_name = _optional(options.name)
        self._read_prefix = _optional(options.prefix)
        self._read_status = _optional(options.status)
        self._read_created = _optional(options.created_at)
        self._read_used = _optional(options.last_used_at)
        self._read_cap = _optional(options.daily_cap)
        self._read_rate = _optional(options.rate_limit)
        self._read_spent = reader(options.spent_today)
        self._ids = _Remembered(key_id)
        self._names = _Remembered(clean_name)
        self._times = _Remembered(instant)

    def snapshots(
        self, items: Iterable[object], now: datetime, *, latest: datetime
    ) -> tuple[tuple[Snapshot, ...], tuple[Skipped, ...]]:
        """The keys that can be believed, in the order listed, and those that cannot. No id stands in both.

        No key can have been used after `latest`.
        """
        found: dict[str, Snapshot] = {}
        skipped: dict[str, Skipped] = {}
        for position, item in enumerate(items, 1):
            key = ""
            try:
                key = self._id(item)
                snapshot = self._snapshot(key, item, now, latest=latest)
            except Unbelievable as why:
                key = key or f"(item {position})"
                skipped.setdefault(key, Skipped(key, str(why)))
                continue
            first = found.setdefault(key, snapshot)
            if first is not snapshot and first != snapshot:
                skipped.setdefault(key, Skipped(key, TWICE))
        believed = found.values() if not skipped else [s for s in found.values() if s.key_id not in skipped]
        return tuple(believed), tuple(skipped.values())

    def _id(self, item: object) -> str:
        if type(item) is not dict:
            raise Unbelievable("is not an object")
        expression = self._options.id
        try:
            raw = self._read_id(item)
            if type(raw) is int:
                raw = str(raw)
            if type(raw) is str:
                return self._ids[raw]
        except ValueError as error:
            raise _unbelievable(expression, error) from error
        raise Unbelievable(f"{expression} is missing" if raw is ABSENT else f"{expression} is not text")

    def _snapshot(self, key: str, item: object, now: datetime, *, latest: datetime) -> Snapshot:
        # The four fields an alert can hang on come first: each must be right, or the key is skipped.
        # By position, and not through a loop over fields: this runs 10,000 times in every poll.
        options = self._options
        raw: object = None
        expression = options.spent_today
        try:
            raw = self._read_spent(item)
            spent = credits_to_micro(raw)  # type: ignore[arg-type]  # it refuses every other type itself
            expression = options.daily_cap
            raw = self._read_cap(item)
            cap = None if raw is None else credits_to_micro(raw)  # type: ignore[arg-type]  # as above
            expression = options.last_used_at
            raw = self._read_used(item)
            used = None if raw is None else self._times[_text(raw)]
            if used is not None and used > latest:
                raise ValueError("is in the future; one of the two clocks is wrong")
            expression = options.status
            raw = self._read_status(item)
            status = KeyStatus.ACTIVE if not expression else _status(raw)
            expression = options.rate_limit
            raw = self._read_rate(item)
            rate = None if raw is None or raw is ABSENT else _rate_limit(raw)
        except ValueError as error:
            if raw is ABSENT:
                raise Unbelievable(f"{expression} is missing") from error
            raise _unbelievable(expression, error, raw=raw) from error
        return Snapshot(
            key,
            self._name(item),
            now,
            spent,
            used,
            cap,
            status,
            rate,
            self._created(item, latest),
            self._last_four(item),
        )

    def _name(self, item: object) -> str:
        try:
            raw = self._read_name(item)
        except CannotApply:
            return ""
        return self._names[raw] if type(raw) is str else ""

    def _created(self, item: object, latest: datetime) -> datetime | None:
        try:
            raw = self._read_created(item)
            at = self._times[raw] if type(raw) is str else None
        except ValueError:
            return None
        return None if at is None or at > latest else at

    def _last_four(self, item: object) -> str:
        try:
            raw = self._read_prefix(item)
        except CannotApply:
            return ""
        return last_four(raw) if type(raw) is str else ""


def key_id(raw: str) -> str:
    """An id that may be stored and shown. One with the shape of a secret is replaced by a part of its digest.

    Raises ValueError when it is empty or too long.
    """
    if len(raw) > _LONGEST_ID:
        raise ValueError(f"is longer than {_LONGEST_ID} characters")
    cleaned = clean_name(raw)
    if HIDDEN in cleaned or redact(raw) != raw:
        return "key-" + hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    if not cleaned:
        raise ValueError("is empty")
    return cleaned


def last_four(hint: str) -> str:
    """The last four letters or digits of a hint such as `flw_sk_…a1b2`; empty when it hints at no key."""
    rest = hint
    for shape in _SHAPES:
        if hint.startswith(shape):
            rest = hint[len(shape) :]
            break
    else:
        if not _ABBREVIATED.search(hint) and redact(hint) == hint:
            return ""
    tail = rest[-4:]
    if tail.isascii() and tail.isalnum():
        return tail
    return "".join(_ALPHANUMERICS.findall(rest))[-4:]


def instant(text: str) -> datetime:
    """An ISO 8601 time, in UTC; without a zone it is taken as UTC. Raises ValueError, also before the year 2000."""
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is not a time in ISO 8601") from None
    if len(text) <= len("2026-03-01"):
        raise ValueError("is a day, not a time")
    if at < EARLIEST:
        raise ValueError("is before the year 2000")
    return at


def balance_to_micro(credits_left: object) -> Microcredits:
    """As for credits spent, except that a balance may be negative: a debt. Raises ValueError."""
    if type(credits_left) in (int, float) and credits_left < 0:  # type: ignore[operator]  # both compare with 0
        return -credits_to_micro(-credits_left)  # type: ignore[operator]  # both can be negated
    return credits_to_micro(credits_left)  # type: ignore[arg-type]  # it refuses every other type itself


def _optional(expression: str) -> Reader:
    return reader(expression) if expression else _not_offered


def _not_offered(_: object) -> None:
    return None


def _text(raw: object) -> str:
    if type(raw) is not str:
        raise ValueError("is not a time in ISO 8601")
    return raw


def _status(raw: object) -> KeyStatus:
    status = _STATUSES.get(raw) or _STATUSES.get(raw.strip().lower()) if type(raw) is str else None
    if status is None:
        raise ValueError("is none of active, revoked, expired")
    return status


def _rate_limit(raw: object) -> int:
    if type(raw) is float and raw.is_integer():
        raw = int(raw)
    if type(raw) is not int or not 0 <= raw <= _FASTEST:
        raise ValueError("is not a number of requests per minute")
    return raw


def _unbelievable(expression: str, error: ValueError, *, raw: object = None) -> Unbelievable:
    advice = f"; map it with to_number({expression})" if type(raw) is str and str(error).endswith("a number") else ""
    return Unbelievable(f"{expression} {error}{advice}")
