"""What the texts of a listed key say: its id, its times, the hint at its last four characters."""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from flowy_watch.core.redact import HIDDEN, redact
from flowy_watch.core.usage import clean_name

T = TypeVar("T")

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # zero times (0001-01-01) mean "never" in some languages, and break zones
_LONGEST_ID = 200
_REMEMBERED = 50_000
_LONGEST_REMEMBERED = 400
_SHAPES = ("flw_sk_", "flowy_pk_", "flowy_")
_ABBREVIATED = re.compile(r"…|\.\.|\*|•|·")
_ALPHANUMERICS = re.compile(r"[A-Za-z0-9]")


def _nothing_cleaned(raw: str, made: object) -> bool:
    return made == raw or not isinstance(made, str)


class Remembered(dict[str, T]):
    """What `make` made of a text, so that 10,000 unchanged names, ids and times cost a lookup each.

    Only a text that is `harmless` is remembered. One that had to be cleaned is not: what was taken out may be a secret.
    Looking up anything but a text raises TypeError, so that a caller need not look at every type first.
    """

    def __init__(self, make: Callable[[str], T], harmless: Callable[[str, T], bool] = _nothing_cleaned) -> None:
        self._make, self._harmless = make, harmless

    def __missing__(self, raw: str) -> T:
        if type(raw) is not str:
            raise TypeError("is not text")
        value = self._make(raw)
        if self._harmless(raw, value) and len(raw) <= _LONGEST_REMEMBERED:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[raw] = value
        return value


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


def hint_is_short(hint: str, _four: str) -> bool:
    """Whether a hint shows no more of its key than the four characters that are kept anyway."""
    shape = next((shape for shape in _SHAPES if hint.startswith(shape)), "")
    return sum(c.isalnum() for c in hint[len(shape) :]) <= 4


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
