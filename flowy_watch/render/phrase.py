"""The smallest parts of a message: spans of words, and names and instants fit to be read."""

import re
import shlex
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

from flowy_watch.core.redact import redact
from flowy_watch.core.words import person_words

LONGEST_NAME = 60
LONGEST_ID = 100

_JOINER = "\u200d"  # holds emoji together
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_PERCENT = re.compile(r"(?<=\d) %(?!\w)")
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,59}")


@dataclass(frozen=True, slots=True)
class Span:
    """A few words in one style. Each dialect escapes `text` in its own way; nothing in it is ever markup."""

    text: str
    bold: bool = False
    code: bool = False
    url: str = ""


Line: TypeAlias = tuple[Span, ...]


def line(*parts: str | Span) -> Line:
    """Words and spans as one line; what is empty falls out."""
    spans = (part if isinstance(part, Span) else Span(part) for part in parts)
    return tuple(span for span in spans if span.text)


def bold(text: str) -> Span:
    return Span(text, bold=True)


def code(text: str) -> Span:
    return Span(text, code=True)


def plain(spans: Line) -> str:
    return "".join(span.text for span in spans)


def visible(text: str) -> str:
    """Words from elsewhere on one line, without control, bidi and other invisible characters, without secrets."""
    if text.isascii() and text.isprintable():
        return redact(" ".join(text.split()))  # nearly all words; what follows costs ten times as much
    spaced = "".join(" " if c.isspace() else c for c in text)
    kept = (c for c in spaced if c == _JOINER or unicodedata.category(c) not in _INVISIBLE)
    return redact(" ".join("".join(kept).split()))


def unbroken(text: str) -> str:
    """No line ends between a figure and its percent sign."""
    return _PERCENT.sub("\u00a0%", text)


def shorten(text: str, most: int = LONGEST_NAME) -> str:
    """At most `most` characters, the cut shown, and never in the middle of a joined emoji."""
    if len(text) <= most:
        return text
    return text[: most - 1].rstrip(_JOINER + " ") + "…"


def who(by: str) -> str:
    """Who did something, short and fit to be read; empty for nobody."""
    return shorten(person_words(visible(by)))


def pattern(name: str, key_id: str) -> str:
    """How a key is named in a pattern on the command line, safe to paste into a shell whatever it is called.

    By name where that is short and plain, else by id: a `*` in a name would mean other keys too.
    """
    short = len(name) <= LONGEST_NAME and name.isascii() and visible(name) == name and name[:1] not in ("", "-")
    word = visible(name if short and "*" not in name else key_id or name)
    quoted = shlex.quote(word if len(word) <= LONGEST_ID else f"{word[:LONGEST_ID]}*")
    return quoted if quoted.startswith("'") else f"'{quoted}'"


def argument(name: str, key_id: str) -> str:
    """A key as an argument that is no pattern: by name where that is a plain word, else by id, else not at all."""
    if _WORD.fullmatch(name) and redact(name) == name:
        return name
    word = visible(key_id)
    return shlex.quote(word) if len(word) <= LONGEST_ID and word[:1] not in ("", "-") else ""


@dataclass(frozen=True, slots=True)
class When:
    """Instants in words for people in one timezone, read on the day of `now`."""

    timezone: ZoneInfo
    now: datetime

    def __call__(self, at: datetime) -> str:
        """`14:05 UTC (15:05 CET)`, with the date where it is not the day of `now`."""
        utc = at.astimezone(UTC)
        day = "" if utc.date() == self.now.astimezone(UTC).date() else f"{_day(utc)} "
        return f"{day}{self.clock(at)}"

    def clock(self, at: datetime) -> str:
        """`00:00 UTC (01:00 CET)`, for instants whose day is plain, such as the next reset."""
        utc, local = at.astimezone(UTC), at.astimezone(self.timezone)
        if local.utcoffset() == utc.utcoffset():
            return f"{utc:%H:%M} UTC"
        day = "" if local.date() == utc.date() else f"{_day(local)} "
        return f"{utc:%H:%M} UTC ({day}{local:%H:%M} {_zone(local)})"


def _day(at: datetime) -> str:
    return f"{at.day} {at:%b}"


def _zone(at: datetime) -> str:
    name = at.tzname() or ""
    return f"UTC{name}" if name[:1] in ("+", "-") else name  # zones without a name of their own are called "+03"
