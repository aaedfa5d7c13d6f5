"""What every channel kind offers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from flowy_watch.core.check import Check
from flowy_watch.core.message import Dialect, Message
from flowy_watch.core.press import Press
from flowy_watch.core.route import Traits


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a channel needs beside the words."""

    outbox_id: str
    """Unique and stable over every try: the identity of this notification on the other side."""
    thread: str
    """Stable over the life of an alert: what belongs together, such as `alert-12`."""
    first: bool = True
    """Nothing of this thread was delivered on this channel before."""
    update_of: str = ""
    """The remote id of the earlier message to bring up to date instead of posting; empty: post."""
    or_nothing: bool = False
    """Where that message cannot be brought up to date, nothing else is sent."""
    newer: str = ""
    """The remote id of the message that the changed one is to point to; empty: to none."""
    story: str = ""
    """The remote id of the alert's first message, in whose thread its story is, where this is another one."""
    reply_to: str = ""
    """The remote id of the message in whose thread this is one line; empty: a message by itself."""
    after: str = ""
    """The remote id of the last message about the same alert; empty where there was none by itself."""
    written_at: datetime | None = None
    """When the message was written down, before the first try; None: just now."""
    tries: int = 1
    """The number of this try."""
    settled: Mapping[str, str] = field(default_factory=dict)
    """Recipients with whom earlier tries came to an end: they are left out (see `TryLater`)."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of delivery. `refused` are recipients that were refused for good while others got it, each with why."""

    remote_id: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)


class Channel(Protocol):
    """A configured place where people are told.

    `send` returns once the other side has taken the message, and else raises `Refused` (never try again), `TryLater`
    (nothing was taken; with the other side's own wish where it has one) or `Doubtful` (it may have been taken). It
    never retries by itself, never blocks longer than its timeout, and names no secret in what it raises.
    """

    name: str
    dialect: Dialect
    traits: Traits

    def send(self, message: Message, envelope: Envelope) -> Receipt: ...

    def check(self) -> Iterable[Check]: ...

    def close(self) -> None: ...


@runtime_checkable
class Settles(Protocol):
    """A channel that can be asked whether a doubtful message arrived."""

    def find(self, envelope: Envelope, *, since: datetime) -> Receipt | None:
        """The proof that it did, None when it did not; raises as `send` does when that cannot be told."""
        ...


Act = Callable[[Press], str]
"""Does what a press wants, and says what only whoever pressed should read; raises FlowyWatchError where it cannot."""


class Listener(Protocol):
    """Hears what people press, on threads of its own."""

    @property
    def name(self) -> str:
        """The channel's."""
        ...

    @property
    def trouble(self) -> str:
        """Why nothing can be heard now; empty while it can."""
        ...

    def start(self) -> None: ...

    def stop(self, *, within: timedelta) -> None: ...


@runtime_checkable
class Listens(Protocol):
    """A channel whose messages may have buttons."""

    def listener(self, act: Act) -> Listener | None:
        """None where it is configured without."""
        ...


class Kind(Protocol):
    """A class of channels: its options, and how one is made of them."""

    @property
    def Config(self) -> type[BaseModel]: ...  # noqa: N802  # a class, seen through a property

    @property
    def traits(self) -> Traits: ...

    def __call__(self, name: str, config: Any, /) -> Channel: ...
