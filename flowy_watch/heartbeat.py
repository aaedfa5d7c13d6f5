"""A sign of life for somebody else's watch: whoever watches the watcher hears of each finished poll, or of none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import Enum
from threading import Event, Lock, Thread
from time import monotonic
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import httpx
import structlog

from flowy_watch.log import hide_addresses
from flowy_watch.trust import trusted

_TIMEOUT = 10.0  # seconds for each step of a ping
_EARLY = 0.9  # polls come a little early or late; a ping is due from this share of its time on

log = structlog.get_logger()


class Sign(Enum):
    STARTED = "start"
    ALIVE = "alive"
    FAILED = "failed"


class Heartbeat:
    """Pings an address after finished polls, at most once per `every`, and its `/fail` when the loop itself fails.

    A poll of which the end is to be pinged is announced at `/start`: so the other side measures how long it takes,
    and misses one that hangs. Not every service knows that address; what it answers there is no trouble.

    It has no clock of its own: a loop that hangs finishes no poll, and the pings end with it. A ping that fails is
    not repeated before the next poll has finished. Pinging happens on a thread of its own and holds up nobody; while
    one is on its way only the latest sign waits.
    """

    def __init__(
        self,
        url: str = "",
        *,
        every: timedelta = timedelta(minutes=5),
        timeout: float = _TIMEOUT,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        """Without an address nothing is pinged. `seconds` measures time, from any beginning."""
        self._addresses = (
            {Sign.ALIVE: url, Sign.FAILED: _below(url, "fail"), Sign.STARTED: _below(url, "start")} if url else {}
        )
        self._every, self._timeout, self._seconds = every.total_seconds(), timeout, seconds
        self._lock = Lock()
        self._wanted: Sign | None = None
        self._told: tuple[Sign, float] | None = None
        """The last end of a poll that was pinged, and when."""
        self._trouble = ""
        self._bell, self._stopping = Event(), False
        self.idle = Event()
        """Set while no ping is wanted or on its way."""
        self.idle.set()
        self._thread = Thread(target=self._work, name="heartbeat", daemon=True)
        hide_addresses()

    def __enter__(self) -> Self:
        if self._addresses:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Does not wait for a ping that is on its way."""
        self._stopping = True
        self._bell.set()

    @contextmanager
    def after(self) -> Iterator[None]:
        """Round a poll: what is pinged is whether it ended or broke down, without waiting for the ping."""
        self._tell(Sign.STARTED)
        try:
            yield
        except BaseException:
            self._tell(Sign.FAILED)
            raise
        self._tell(Sign.ALIVE)

    def _tell(self, sign: Sign) -> None:
        with self._lock:
            if sign is Sign.STARTED and self._wanted:
                return  # the end of the poll before still waits, and says more
            self._wanted = sign if self._due(sign) else None  # one of the other kind that waits is out of date
            if self._wanted:
                self.idle.clear()
                self._bell.set()

    def _due(self, sign: Sign) -> bool:
        told = self._told
        if told is None or self._seconds() - told[1] >= _EARLY * self._every:
            return True
        return sign is not Sign.STARTED and told[0] is not sign

    def _work(self) -> None:
        with httpx.Client(
            timeout=self._timeout, verify=trusted(), limits=httpx.Limits(max_keepalive_connections=0)
        ) as client:
            while self._bell.wait() and not self._stopping:
                self._bell.clear()
                while sign := self._next():
                    self._ping(client, sign)

    def _next(self) -> Sign | None:
        """What to ping now, if anything: what was wanted while another ping was on its way may be told by that."""
        with self._lock:
            sign, self._wanted = self._wanted, None
            if sign and self._due(sign) and not self._stopping:
                return sign
            self.idle.set()
            return None

    def _ping(self, client: httpx.Client, sign: Sign) -> None:
        began = self._seconds()
        try:
            with client.stream("GET", self._addresses[sign], headers={"User-Agent": "flowy-watch"}) as response:
                trouble = "" if response.is_success else f"it answered HTTP {response.status_code}"
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError):
            trouble = "its host could not be reached"
        except httpx.HTTPError:
            trouble = "it gave no answer"
        if sign is Sign.STARTED:
            return
        if not trouble:
            with self._lock:
                self._told = sign, began
        self._log(trouble)

    def _log(self, trouble: str) -> None:
        """Once per change: a ping is tried after every poll."""
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble:
            log.warning("heartbeat.failed", reason=trouble)
        else:
            log.info("heartbeat.restored")


def _below(url: str, word: str) -> str:
    """The word at the end of the path, before a query."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{word}"))
