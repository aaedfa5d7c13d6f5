"""What is normal for a key, with how much evidence it has.

One long file: ring, forecast and windows share their state, and storage must know all of it.
"""

from array import array
from datetime import datetime
from math import inf, isnan, nan
from typing import NamedTuple

from flowy_watch.core.cusum import LAG, Cusum
from flowy_watch.core.habit import Habit, habit_at
from flowy_watch.core.surprise import (
    HINT,
    LONGEST,
    ODD_HOURS,
    ODD_SPEND,
    SPENT,
    TOLD_FROM,
    WINDOWS,
    Seen,
    Verdict,
    Window,
)

WEEKS = 5
WEEK = 168
SLOTS = WEEKS * WEEK  # hours kept: five weeks, so each hour of the week has been seen up to five times
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday

FEWEST_HOURS = 72
"""A key that has been watched for less is new: nothing is usual for it yet."""

DAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")

_DAILY_WEIGHT = 0.3  # of another day's same hour, beside 1 for the same weekday's
_PRIOR_WEIGHT = 0.3  # of the key's mean hour: no hour is expected to be quite without spend
_NEAR = 0.5  # of the hour before and the hour after
_TRIMMED = 0.08  # of the hours looked at, the highest count only as much as the highest of the others
_STILL_SHARE = 0.15  # of the mean hour: a time at which less is expected is a still time
_GROWTH = 2.0 ** (1 / (24 * 20))  # newer hours weigh more: half as much after twenty days
_RENORMALISE = 1e6
_LEAST_BURST = 0.05  # of the mean hour
_KEPT = LONGEST + LAG  # what is happening now must not teach that it is usual
_AT_LEVEL = 6  # which of the recent rings holds the forecast at the level of the last days
_ADAPTED = 4  # windows up to this long follow the level of the last days; in longer ones a slow drift must show
_LEVEL_SPREAD = 0.1  # variance that good and bad days give the level, about a third up or down: what is believed of it
_LEVEL_FROM, _LEVEL_TO = 52, 4  # hours before, whose spend tells the level: two days, but not what has just begun
_LEVEL_LEAST, _LEVEL_MOST = 0.6, 2.5  # of the forecast: half a holiday, a launch; beyond it is for a person to say
_ODD_HOUR = WINDOWS.index((ODD_SPEND, 1))
_PLAIN = 10  # numbers of a baseline beside those of its windows and sums
SIGNS, HABIT = 4, 8
"""Hours: an even pace and the cap count in windows up to the first, the time of day in those up to the second."""
_FEWER_CHANCES = 0.5  # added to four hours: a day has fewer of them than of single hours in which to be odd by chance
_SELDOM = 0.6  # taken off a key that is hardly used: of how far it strays little has been seen
_ENOUGH = 4  # a window is judged when a quarter of it was watched, without a break up to now
_FORMAT = 3.0  # of what `pack` makes; another version's is learned again


class Usual(NamedTuple):
    """What past weeks showed in the same hours as those just gone, in credits."""

    low: float
    high: float
    when: str
    """In words: "on Mondays around 14:00 UTC"."""
    times: int


def hour_number(at: datetime) -> int:
    """Hours since 1970-01-01 00:00 UTC."""
    return int(at.timestamp()) // 3600


class Baseline:
    """Five weeks of a key's spend per hour, in credits, as a ring; an hour nobody watched is NaN.

    From the ring comes a forecast for each hour as it begins: a trimmed mean of the same hour of the past weeks and,
    with less weight, of the past days of its kind (working day or weekend). `surprise.Window` learns how far the key
    strays from such forecasts. Everything is O(1) per poll; the ring is read once an hour.

    Mutable, unlike other values: one hour of 10,000 keys changes 40 kB here and would copy 60 MB as frozen values.
    """

    __slots__ = (
        "_active_mean",
        "_asked",
        "_before",
        "_cusums",
        "_expected",
        "_expected_active",
        "_known",
        "_level",
        "_mean",
        "_month_mean",
        "_oddity",
        "_opened",
        "_recent",
        "_still",
        "_unbroken",
        "_weight",
        "hours",
        "judges",
        "last_hour",
        "room",
        "since_hour",
        "windows",
    )

    def __init__(self) -> None:
        self.hours = array("f", [nan]) * SLOTS
        self.since_hour = 0
        self.last_hour = 0
        self.windows: tuple[Window, ...] = ()
        self._cusums = (Cusum(SPENT), Cusum(ODD_SPEND))
        self._known = self._unbroken = 0
        self._mean = self._month_mean = self._active_mean = 0.0
        self._weight = self._level = 1.0
        # The last four days, unknown hours as 0 in all: spend and forecast, both for still times only, activity, and
        # the forecast at the level of the days before.
        self._recent = tuple(array("f", bytes(4 * _KEPT)) for _ in range(7))
        self._opened = 0
        self._asked = 0  # the hour last judged, and what each window held before it: the same at every poll of the hour
        self._before: tuple[Seen, ...] = ()
        self._oddity = (0, 0.0)  # an hour, and what its time of day adds
        self._expected = self._expected_active = 0.0
        self._still = False
        self.judges = False
        """Whether it has anything to hold spend against: enough was watched, and a use in it is a day old."""
        self.room = inf
        """Credits that may be spent in the hour last judged before any window could be surprised."""

    @property
    def known(self) -> bool:
        """Whether enough has been watched to call anything usual or not."""
        return self._known >= FEWEST_HOURS

    @property
    def mean(self) -> float:
        """Credits per hour over the last four weeks."""
        return self._month_mean

    def learn(self, hour: int, spent: float) -> None:
        """Record the whole spend of a finished hour. Hours that were skipped since the last one are unknown."""
        if not self.since_hour:
            self.since_hour = hour
        elif hour <= self.last_hour:
            return
        self._asked = 0
        self._open(hour)
        self.hours[hour % SLOTS] = spent
        missed = hour - self.last_hour - 1
        self.last_hour = hour
        self._known += 1
        self._unbroken = 1 if missed else self._unbroken + 1
        spent = self.hours[hour % SLOTS]  # as it was kept, so that sums agree
        self._mean += (spent - self._mean) / min(self._known, WEEK)
        self._month_mean += (spent - self._month_mean) / min(self._known, 4 * WEEK)
        self._active_mean += ((spent > 0) - self._active_mean) / min(self._known, WEEK)
        if self._month_mean > 0:  # else never used: there is nothing to stray from
            self._add_up(hour, spent, missed)
            self._remember(hour, spent)
            self._teach(hour)
        self.judges = self._can_judge()

    def _can_judge(self) -> bool:
        return self.known and bool(self.windows) and self.windows[0].uses > 0

    def _add_up(self, hour: int, spent: float, missed: int) -> None:
        """Take the hour into the sums that tell persistent excess, by what was known before it."""
        at_level = Seen(spent, self._expected * self._level)
        whole, odd = self._cusums
        if missed:
            whole.pass_by(missed)
            odd.pass_by(missed)
        whole.add(hour, self._hour_surprise(self.windows[0], at_level) if self.judges else 0.0, *at_level)
        if self._still:
            seen = Seen(spent, self._expected)
            odd.add(hour, self._hour_surprise(self.windows[_ODD_HOUR], seen) if self.judges else 0.0, *seen)
        for cusum in self._cusums:
            cusum.learn(hour, judged=self.judges)

    def _hour_surprise(self, window: Window, seen: Seen) -> float:
        few = self.windows[0].few(self._weight)
        return window.surprise(seen, self._weight, still=self._still, few=few, least=self._least(window))

    def _remember(self, hour: int, spent: float) -> None:
        still = self._still
        now = (
            spent,
            self._expected,
            spent if still else 0.0,
            self._expected if still else 0.0,
            1.0 if still and spent > 0 else 0.0,
            self._expected_active if still else 0.0,
            self._expected * self._level,
        )
        for ring, value in zip(self._recent, now, strict=True):
            ring[hour % _KEPT] = value

    def _teach(self, hour: int) -> None:
        if not self.windows:
            self.windows = tuple(Window(stream, hours) for stream, hours in WINDOWS)
        self._weight *= _GROWTH
        if self._weight > _RENORMALISE:
            for window in self.windows:
                window.scale(1 / self._weight)
            self._weight = 1.0
        still = self._recent[3][(hour - LAG) % _KEPT] > 0
        for window in self.windows:
            if self._known >= window.hours + LAG:
                whole = hour % window.hours == 0
                window.learn(
                    self._seen(window, hour - LAG), self._weight, still=still, whole=whole, least=self._least(window)
                )

    def _least(self, window: Window) -> float:
        """The least size of a burst that is believed, in credits.

        A key that has always spent the same would find the smallest change absurd; and bursts at still times, rarely
        seen, are taken to be no smaller than a third of those at others.
        """
        steady = _LEAST_BURST * self._month_mean
        return max(steady, 0.3 * self.windows[0].burst) if window.stream == ODD_SPEND else steady

    def _seen(self, window: Window, hour: int) -> Seen:
        """What a window ending with `hour` held and what had been forecast for it."""
        actual, expected = self._recent[2 * window.stream], self._recent[2 * window.stream + 1]
        if window.stream == SPENT and window.hours <= _ADAPTED:
            expected = self._recent[_AT_LEVEL]
        end, hours = hour % _KEPT + 1, window.hours
        if hours <= end:
            return Seen(sum(actual[end - hours : end]), sum(expected[end - hours : end]))
        start = end - hours + _KEPT
        return Seen(sum(actual[start:]) + sum(actual[:end]), sum(expected[start:]) + sum(expected[:end]))

    def judge(
        self, hour: int, part: float, spent: float, last_hour: float, signs: float = 0.0
    ) -> tuple[Verdict | None, Verdict | None]:
        """How surprising the spend up to now is, and that of three days; None where it is not.

        To be asked when a poll saw spend: `part` of `hour` has gone by, `spent` was spent in it, and `last_hour` in
        the sixty minutes up to now, in credits; `signs` is what speaks for an incident beside how much was spent.
        """
        if not self.judges:
            self.room = inf
            return None, None
        self._open(hour)
        if self._asked != hour:
            self._asked, self._before = hour, tuple([self._seen(window, hour - 1) for window in self.windows])
            self.room = self._find_room()
        if spent <= self.room:
            return None, None
        if self.last_hour != hour - 1:
            part = 1.0  # after a gap no hour before it makes up for a job whose whole spend comes as the hour begins
        expected, still = self._expected * part, self._still
        verdict = drift = None
        stream, goes_on, above = SPENT, True, False
        few = self.windows[0].few(self._weight)
        watched = self._unbroken + 1 if self.last_hour == hour - 1 else 1
        for window, before in zip(self.windows, self._before, strict=True):
            if window.stream and not still:
                break  # spend at still times is judged while it happens
            if window.hours > _ENOUGH * watched:
                continue  # what strays widely in an hour strays little in a day: they must not be taken for each other
            if window.stream != stream:
                stream, goes_on = window.stream, True
            if not goes_on:
                continue
            if window.stream == ODD_HOURS:
                seen = Seen(before.actual + (spent > 0), before.expected + self._expected_active)
            elif window.hours == 1 and window.stream == SPENT and self.last_hour == hour - 1:
                seen = Seen(last_hour, expected * self._level + (1 - part) * before.expected)
            else:
                here = expected * self._level if window.stream == SPENT and window.hours <= _ADAPTED else expected
                seen = Seen(before.actual + spent, before.expected + here)
            goes_on = seen.actual > seen.expected  # what is over in a shorter window is old news in a longer one
            above = above or (window is self.windows[0] and goes_on)
            surprise = window.surprise(seen, self._weight, still=still, few=few, least=self._least(window))
            if surprise > HINT and window.hours <= HABIT:
                surprise += signs if window.hours <= SIGNS else 0.0
                surprise += _FEWER_CHANCES if window.hours == SIGNS <= watched else 0.0
                if window.stream != ODD_HOURS or seen.actual > 1:  # a single hour is told by what it spent
                    surprise += self.odd_time(hour)
            found = window.verdict(seen, surprise)
            if window.hours == LONGEST:
                drift = found
            elif found and (verdict is None or found > verdict):
                verdict = found
        whole, odd = self._cusums
        persistent = whole.judge(hour, spent, expected * self._level) if above else None
        if still or self._recent[3][(hour - 1) % _KEPT] > 0:
            seen = Seen(spent, expected) if still else Seen(0.0, 0.0)
            at_odd_times = odd.judge(hour, *seen, self.odd_time(hour) if odd.surprise else 0.0)
            persistent = max(filter(None, (persistent, at_odd_times)), default=None)
        if persistent and (verdict is None or persistent > verdict):
            verdict = persistent
        if few and verdict:
            verdict = verdict.less(_SELDOM)
        return verdict, drift

    def odd_time(self, hour: int) -> float:
        """What the time of day adds to the surprise of a use in this hour."""
        if self._oddity[0] != hour:
            self._oddity = hour, self.habit(hour).oddity(self.windows[0].share_used)
        return self._oddity[1]

    def habit(self, hour: int) -> Habit:
        """How often the key was used around this time of day."""
        return habit_at(hour, self.hours)

    def began(self, hour: int, most: int) -> int:
        """The first of the hours in a row, up to `hour` and at most so many before it, that spent beyond forecast."""
        spent, expected = self._recent[0], self._recent[1]
        for before in range(hour - 1, hour - 1 - min(most, _KEPT - 1), -1):
            if spent[before % _KEPT] <= expected[before % _KEPT]:
                return before + 1
        return hour - min(most, _KEPT - 1)

    def judge_gap(self, start: float, end: float, spent: float) -> Verdict | None:
        """The same for what was spent while nobody watched, between two moments in seconds since 1970."""
        first, last = int(start) // 3600, int(end) // 3600
        if not self.judges or last - first >= LONGEST:
            return None
        expected = 0.0
        for hour in range(first, last + 1):
            self._open(hour)
            expected += self._expected * (min(end, (hour + 1) * 3600) - max(start, hour * 3600)) / 3600
        window = next(w for w in self.windows if w.hours > last - first)
        few, least = self.windows[0].few(self._weight), self._least(window)
        return window.judge(Seen(spent, expected), self._weight, still=False, few=few, least=least)

    def _find_room(self) -> float:
        """Most polls spend less, and need not be judged."""
        if self._still or max(cusum.surprise for cusum in self._cusums) >= TOLD_FROM:
            return -1.0  # what was spent up to the full hour is judged even before this hour has any
        room = inf
        for window, before in zip(self.windows, self._before, strict=True):
            if window.stream != SPENT:
                break
            expected = before.expected if window.hours > 1 else min(before.expected, self._expected * self._level)
            room = min(room, window.bar(expected, self._least(window)) - before.actual)
        return room

    def _open(self, hour: int) -> None:
        """Make the forecast for an hour from all that went before it."""
        for missing in range(max(self.last_hour, self._opened, hour - SLOTS) + 1, hour):
            self._forget(missing)
        if self._opened == hour:
            return
        self._forget(hour)  # it held what was five weeks ago, which the forecast does not reach back to
        self._opened = hour
        self._expected, self._expected_active = self._forecast(hour)
        self._still = self._expected < _STILL_SHARE * self._month_mean
        self._level = self._find_level(hour) if self.windows else 1.0

    def _find_level(self, hour: int) -> float:
        """How much more or less than forecast was spent in the last two days, as far as that is no accident."""
        actual = expected = 0.0
        spents, forecasts = self._recent[0], self._recent[1]
        burst = max(self.windows[1].burst, self._least(self.windows[1]))
        for at in range(hour - _LEVEL_FROM, hour - _LEVEL_TO):
            spent, forecast = spents[at % _KEPT], forecasts[at % _KEPT]
            most = _LEVEL_MOST * forecast + burst  # what an incident spent beyond it is no level
            actual += spent if spent < most else most
            expected += forecast
        kappa = burst / _LEVEL_SPREAD
        return min(max((actual + kappa) / (expected + kappa), _LEVEL_LEAST), _LEVEL_MOST) if kappa > 0 else 1.0

    def _forget(self, hour: int) -> None:
        self.hours[hour % SLOTS] = nan
        for ring in self._recent:
            ring[hour % _KEPT] = 0.0

    def _forecast(self, hour: int) -> tuple[float, float]:
        """Credits expected within an hour, and the probability that there are any."""
        hours, values, weights = self.hours, [], []
        for base, weight in _LAGS[(hour // 24 + _EPOCH_WEEKDAY) % 7]:
            value = hours[(hour - base) % SLOTS]
            if value == value:  # not NaN
                values.append(value)
                weights.append(weight)
        highest = sorted(values, reverse=True)[int(len(values) * _TRIMMED)] if values else 0.0
        total, active, sum_of_weights = _PRIOR_WEIGHT * self._mean, _PRIOR_WEIGHT * self._active_mean, _PRIOR_WEIGHT
        for value, weight in zip(values, weights, strict=True):
            sum_of_weights += weight
            if value > 0:
                total += weight * (value if value < highest else highest)
                active += weight
        return total / sum_of_weights, active / sum_of_weights

    def usual(self, hour: int, span: int) -> Usual:
        """What was spent in the `span` hours up to and with `hour` in past weeks; in past days while weeks are few."""
        weeks = self._sums(hour, span, WEEK, WEEKS)
        clock = f"around {hour % 24:02d}:00 UTC"
        if len(weeks) >= 2:
            return Usual(min(weeks), max(weeks), f"on {DAYS[(hour // 24 + _EPOCH_WEEKDAY) % 7]} {clock}", len(weeks))
        days = self._sums(hour, span, 24, 14)
        return Usual(min(days, default=0.0), max(days, default=0.0), clock, len(days))

    def _sums(self, hour: int, span: int, step: int, times: int) -> list[float]:
        ends = [hour - step * n for n in range(1, times + 1)]
        oldest = max(self.since_hour, hour - SLOTS + 1)
        sums = [
            sum(self.hours[h % SLOTS] for h in range(end - span + 1, end + 1)) for end in ends if end - span >= oldest
        ]
        return [total for total in sums if not isnan(total)]

    def pack(self) -> bytes:
        """For storage, in native byte order."""
        numbers = array("d", (_FORMAT, self.since_hour, self.last_hour, self._known, self._unbroken, self._mean))
        numbers.extend((self._month_mean, self._active_mean, self._weight, len(self.windows)))
        for cusum in self._cusums:
            numbers.extend(cusum.numbers())
        for window in self.windows:
            numbers.extend(window.numbers())
        rings = (self.hours, *self._recent, *(cusum.heights for cusum in self._cusums))
        return b"".join(ring.tobytes() for ring in rings) + numbers.tobytes()

    @classmethod
    def unpack(cls, packed: bytes) -> "Baseline":
        """Raises ValueError when the bytes are not of this version's making."""
        rings = 4 * (SLOTS + 7 * _KEPT + 2 * LAG)
        numbers = array("d")
        if len(packed) % 8:
            raise ValueError("not a baseline of this version")
        numbers.frombytes(packed[rings:])
        few, size = len(Cusum.FIELDS), len(Window.FIELDS)
        least = _PLAIN + 2 * few
        whole = least + len(WINDOWS) * size
        if (
            len(numbers) not in (least, whole)
            or numbers[0] != _FORMAT
            or (numbers[_PLAIN - 1] > 0) != (len(numbers) == whole)
        ):
            raise ValueError("not a baseline of this version")
        baseline = cls()
        floats = array("f", packed[:rings])
        baseline.hours, floats = floats[:SLOTS], floats[SLOTS:]
        baseline._recent = tuple(floats[n * _KEPT : (n + 1) * _KEPT] for n in range(7))
        baseline.since_hour, baseline.last_hour, baseline._known, baseline._unbroken = map(int, numbers[1:5])
        baseline._mean, baseline._month_mean, baseline._active_mean, baseline._weight = numbers[5:9]
        spent, odd = (
            Cusum.of(stream, numbers[_PLAIN + n * few :][:few], floats[7 * _KEPT + n * LAG :][:LAG])
            for n, stream in enumerate((SPENT, ODD_SPEND))
        )
        baseline._cusums = (spent, odd)
        if len(numbers) == whole:
            baseline.windows = tuple(
                Window(stream, hours, numbers[least + n * size : least + (n + 1) * size])
                for n, (stream, hours) in enumerate(WINDOWS)
            )
        baseline.judges = baseline._can_judge()
        return baseline


def _lags(weekday: int) -> tuple[tuple[int, float], ...]:
    """How many hours back the forecast for an hour of this weekday looks, and the weight of each."""
    lags = [
        (WEEK * week - near, _NEAR if near else 1.0)
        for week in range(1, WEEKS + 1)
        for near in (-1, 0, 1)
        if WEEK * week - near < SLOTS
    ]
    for day in range(1, 15):
        if ((weekday - day) % 7 >= 5) == (weekday >= 5):
            lags += [(24 * day - near, _DAILY_WEIGHT * (_NEAR if near else 1.0)) for near in (-1, 0, 1)]
    return tuple(lags)


_LAGS = tuple(_lags(weekday) for weekday in range(7))
