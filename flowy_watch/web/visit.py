"""One request as the pages see it: plain values, read and checked before a worker is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum


class Role(IntEnum):
    """Who may do what; a higher one may do all that a lower one may."""

    NOBODY = 0
    VIEWER = 1
    OPERATOR = 2

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks. A machine with a bearer token has no session and so no `csrf`."""

    role: Role
    name: str = ""
    csrf: str = field(default="", repr=False)


NOBODY = Person(Role.NOBODY)


@dataclass(frozen=True, slots=True)
class Visit:
    method: str
    path: str
    now: datetime
    person: Person = NOBODY
    query: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    """What the route's path holds."""
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    session: str = field(default="", repr=False)
    """The cookie's value, whatever it is worth."""
    fragment: bool = False
    """htmx asks: only the part that changes."""
    host: str = ""
    secure: bool = False
    address: str = ""


class Refusal(Exception):
    """Why a request is not answered as asked, for people or as a problem for machines."""

    def __init__(self, status: int, reason: str, *, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.retry_after = status, reason, retry_after
