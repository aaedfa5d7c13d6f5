"""What the meter itself does not let through: blocked keys, a daily cap, too many requests in a minute."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime

import structlog

from flowy_watch.core.usage import Microcredits, next_reset
from flowy_watch.errors import StoreError
from flowy_watch.ledger import OTHER, KeyUse, Ledger
from flowy_watch.meter.config import KeyRules
from flowy_watch.meter.head import Headers
from flowy_watch.meter.tally import Key, Tally

_LOOK = 0.010  # seconds between two looks at whether the ledger changed
_LOOK_AGAIN = 1.0  # after it could not be read
_MOST_MINUTES = 5000  # keys, before those that are silent are forgotten and the others counted together

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Stop:
    status: int
    error: str
    headers: Headers


@dataclass(slots=True)
class Day:
    """What a key started on one UTC day, and what it may be about to."""

    day: date
    spent: Microcredits = 0
    runs: int = 0
    pending: Microcredits = 0
    pending_runs: int = 0


@dataclass(frozen=True, slots=True)
class Reservation:
    """A run that was let through and whose answer is not known yet."""

    guard: "Guard"
    key: Key
    price: Microcredits

    def settle(self, *, accepted: bool, now: datetime) -> None:
        self.guard.settle(self, accepted=accepted, now=now)


@dataclass(slots=True)
class Minute:
    number: int = 0
    requests: int = 0


class Guard:
    """Reads blocks and prices from the ledger; what it read last holds while the ledger cannot be read."""

    def __init__(self, tally: Tally, ledger: Ledger, seconds: Callable[[], float]) -> None:
        """`seconds` measures time, from any beginning. `ledger` is for the event loop and must not wait."""
        self._tally, self._ledger, self._seconds = tally, ledger, seconds
        self._look_at = 0.0
        self._version: tuple[int, int] | None = None
        self._blocked: frozenset[str] = frozenset()
        self.days: dict[str, Day] = {}
        self._minutes: dict[str, Minute] = {}
        self._cleared = 0
        self._trouble = False

    def resume(self, keys: Iterable[KeyUse], today: date) -> None:
        """Go on with what they spent today before the start."""
        for key in keys:
            self.days[key.fingerprint] = Day(today, key.counts.spent, key.counts.runs)

    def refresh(self) -> None:
        """Take in what another process wrote; so cheap that it is asked at every request."""
        seconds = self._seconds()
        if seconds < self._look_at:
            return
        self._look_at = seconds + _LOOK
        try:
            version = self._ledger.version()
            if version != self._version:
                self._blocked = frozenset(block.fingerprint for block in self._ledger.blocks())
                self._tally.prices = {price.app_id: price for price in self._ledger.prices()}
                self._version = version
            self._trouble = False
        except StoreError as error:
            self._look_at = seconds + _LOOK_AGAIN
            if not self._trouble:
                log.warning("meter.ledger.unreadable", reason=str(error), consequence="blocks stay as they were")
            self._trouble = True

    def stop(self, key: Key, app_id: str, now: datetime) -> Stop | None:
        """Why this request is not forwarded, if it is not."""
        self.refresh()
        if key.fingerprint in self._blocked:
            return Stop(401, "This API key is blocked", [])
        rules = key.rules
        if rules.requests_per_minute is not None and (stop := self._too_many(key, rules.requests_per_minute, now)):
            return stop
        if app_id and rules.has_cap:
            return self._too_much(key, rules, app_id, now)
        return None

    def reserve(self, key: Key, app_id: str, now: datetime) -> Reservation | None:
        """Until it is settled, the run counts as if it were accepted: so the cap holds however many come at once."""
        if not app_id or not key.rules.has_cap:
            return None
        reservation = Reservation(self, key, self._price(app_id))
        day = self._day(key, now)
        day.pending += reservation.price
        day.pending_runs += 1
        return reservation

    def settle(self, reservation: Reservation, *, accepted: bool, now: datetime) -> None:
        day = self._day(reservation.key, now)
        day.pending -= reservation.price
        day.pending_runs -= 1
        if accepted:
            day.spent += reservation.price
            day.runs += 1
        elif not day.runs and not day.pending_runs:
            del self.days[reservation.key.fingerprint]  # anybody can make up a key

    def _too_much(self, key: Key, rules: KeyRules, app_id: str, now: datetime) -> Stop | None:
        day = self._day(key, now)
        price = self._price(app_id)
        # A run without a price still needs something left of the cap.
        over = rules.daily_cap is not None and day.spent + day.pending + max(price, 1) > rules.daily_cap
        if over or (rules.daily_runs is not None and day.runs + day.pending_runs >= rules.daily_runs):
            until = f"{next_reset(now):%Y-%m-%d %H:%M} UTC"
            return Stop(402, f"Daily cap of this API key reached; next runs from {until}", [])
        return None

    def _too_many(self, key: Key, limit: int, now: datetime) -> Stop | None:
        second = int(now.timestamp())
        minute = self._minute_of(key, second // 60)
        if minute.number != second // 60:
            minute.number, minute.requests = second // 60, 0
        if minute.requests < limit:
            minute.requests += 1
            return None
        reset = (minute.number + 1) * 60
        headers = [
            (b"Retry-After", b"%d" % (reset - second)),
            (b"X-RateLimit-Limit", b"%d" % limit),
            (b"X-RateLimit-Remaining", b"0"),
            (b"X-RateLimit-Reset", b"%d" % reset),
        ]
        return Stop(429, f"Over {limit} requests per minute with this API key", headers)

    def _minute_of(self, key: Key, number: int) -> Minute:
        """Its own, or one for all those beyond the bound: anybody can make up keys."""
        minute = self._minutes.get(key.fingerprint)
        if minute is None:
            if len(self._minutes) >= _MOST_MINUTES and self._cleared != number:
                self._cleared = number
                self._minutes = {key: each for key, each in self._minutes.items() if each.number == number}
            name = key.fingerprint if len(self._minutes) < _MOST_MINUTES else OTHER
            minute = self._minutes.setdefault(name, Minute())
        return minute

    def _day(self, key: Key, now: datetime) -> Day:
        today = now.date()
        day = self.days.get(key.fingerprint)
        if day is None or day.day != today:
            # What is pending may be accepted today.
            day = self.days[key.fingerprint] = (
                Day(today, pending=day.pending, pending_runs=day.pending_runs) if day else Day(today)
            )
        return day

    def _price(self, app_id: str) -> Microcredits:
        price = self._tally.price_of(app_id)
        return price.price if price else 0
