"""Who makes requests when: ordinary business, and what is not.

Every number is a function of the seed, the key and the hour, so the same instant is always reached by the same
requests, however far and however often the world is asked to move on.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flowy_watch.simulator.profile import DAY, Profile, Rhythm

HOUR = 3600
FOREVER = 1 << 62

DAY_VARIATION = 0.12  # a day is at most this share busier or quieter than its profile says
HOUR_VARIATION = 0.15  # the share of an hour's requests that may fall into the hour next to it
_ODD, _MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1


class Request(NamedTuple):
    """Ordered by time, then key. An empty `app_id` looks around and costs nothing."""

    second: int
    key: int  # its place in the world's list
    app_id: str


LOOK_AROUND = ""


def mixed(number: int) -> int:
    """Sixty-four well-mixed bits of a number (the finalizer of splitmix64, Steele and others 2014)."""
    number &= _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


def share(base: int, number: int) -> float:
    """The `number`-th draw of 0 ≤ x < 1 from a base; any draw can be had without those before it."""
    return mixed(base + (number + 1) * _ODD) / 2**64


@dataclass(frozen=True, slots=True)
class Stream:
    """One key's requests by one profile, from `begins_at` until before `ends_at` (Unix seconds)."""

    key: int
    profile: Profile
    base: int
    begins_at: int = 0
    ends_at: int = FOREVER

    def requests(self, hour: int) -> Iterator[Request]:
        """Those of one hour since 1970, in order."""
        day, hour_of_day = divmod(hour, DAY)
        rates = self.profile.week[weekday(day)]
        if not rates[hour_of_day]:
            return
        first = self._before(rates, day, hour_of_day)
        count = self._before(rates, day, hour_of_day + 1) - first
        apps, base = self.profile.apps, mixed(self.base ^ hour)
        for number in range(count):
            place = share(base, number) if self.profile.rhythm is Rhythm.HUMAN else 0.5
            second = hour * HOUR + int((number + place) * HOUR / count)
            if self.begins_at <= second < self.ends_at:
                yield Request(second, self.key, apps[(first + number) % len(apps)])

    def _before(self, rates: Sequence[float], day: int, hour_of_day: int) -> int:
        """How many of the day's requests come before this hour; whole days differ by `DAY_VARIATION` alone."""
        expected = sum(rates[:hour_of_day])
        if self.profile.rhythm is Rhythm.MACHINE:
            return int(expected)
        draw = day * 32
        if 0 < hour_of_day < DAY:
            moved = HOUR_VARIATION * min(rates[hour_of_day - 1], rates[hour_of_day])
            expected += moved * (2 * share(self.base, draw + hour_of_day) - 1)
        busy = 1 + DAY_VARIATION * (2 * share(self.base, draw + 30) - 1)
        return int(busy * expected + share(self.base, draw + 31))

    def last_request_before(self, second: int, *, hours: int = 10 * DAY) -> Request | None:
        """The newest within so many hours."""
        for hour in range(second // HOUR, second // HOUR - hours, -1):
            earlier = [request for request in self.requests(hour) if request.second < second]
            if earlier:
                return earlier[-1]
        return None


class Traffic:
    """The requests of all streams in the order they are made, one hour laid out at a time."""

    def __init__(self, streams: Iterable[Stream], second: int) -> None:
        self.hour = second // HOUR
        self._streams = list(streams)
        self._second = second
        self._ahead: list[Request] = []  # the rest of the hour, last first
        self._look_ahead()

    def add(self, stream: Stream) -> None:
        self._streams.append(stream)
        self._look_ahead()

    def begin_hour(self, hour: int) -> None:
        self.hour = hour
        self._streams = [stream for stream in self._streams if stream.ends_at > hour * HOUR]
        self._look_ahead()

    def due(self, until: int) -> Iterator[Request]:
        """Each request of this hour once, those of second `until` included."""
        self._second = max(self._second, until)
        while self._ahead and self._ahead[-1].second <= until:
            yield self._ahead.pop()

    def _look_ahead(self) -> None:
        end = (self.hour + 1) * HOUR
        running = (stream for stream in self._streams if stream.begins_at < end)
        coming = sorted((request for stream in running for request in stream.requests(self.hour)), reverse=True)
        self._ahead = [request for request in coming if request.second > self._second]


def weekday(day: int) -> int:
    """Monday is 0; day 0, the first of January 1970, was a Thursday."""
    return (day + 3) % 7
