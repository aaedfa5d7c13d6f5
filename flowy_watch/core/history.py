"""One key's snapshots, oldest first, kept as the few sums that detectors ask of them.

One long file: every sum is moved by `add`, which runs 10,000 times in a poll, and is named again in `dump` and `load`.
"""

from bisect import bisect_right
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from flowy_watch.core.baseline import Baseline, hour_number
from flowy_watch.core.rhythm import TICK, Rhythm
from flowy_watch.core.surprise import BEYOND_DOUBT, Verdict
from flowy_watch.core.usage import CREDIT, DAY, KeyStatus, Microcredits, Snapshot, day_of

_PEAK_DAYS = 4
_SURPRISING = 3.75  # a day's highest surprise from here on is remembered
_REMEMBERED = 35  # days
_USED_TO, _MOST_USED_TO = 0.5, 3  # what each takes off the next surprises, and of how many at most
_MARK_EVERY = 150.0  # seconds; closer polls need no mark of their own
_MARKS_FOR = 2.6 * 3600.0
_MOST_MARKS = 96  # more than are needed, so that only every thirtieth makes the others move up
_HOUR = timedelta(hours=1)
_JUST_BORN = timedelta(hours=2)
_UNKNOWN = -1.0
_UNDER_A_DAY = DAY - timedelta.resolution
_LONGEST_GAP = 2 * 3600.0  # spend over a longer gap cannot be given to an hour


class History:
    """What is known of one key: O(1) to add a snapshot, O(1) memory.

    Mutable, unlike other values: a poll adds to 10,000 of them, and a failed transaction throws them all away.
    """

    __slots__ = (
        "_day_end",
        "_day_high",
        "_hour",
        "_hour_end",
        "_hour_from",
        "_hour_spent",
        "_mark_from",
        "_marks",
        "_rest_from",
        "_room",
        "_seconds",
        "_tick_end",
        "_tick_from",
        "_tick_total",
        "baseline",
        "drift",
        "drift_peak",
        "first_at",
        "latest",
        "longest_still",
        "moved_at",
        "peaks",
        "previous",
        "rested",
        "rests",
        "revoked_at",
        "rhythm",
        "still_for",
        "surprising_days",
        "total",
        "verdict",
    )

    def __init__(self, snapshot: Snapshot, baseline: Baseline | None = None) -> None:
        self.baseline = baseline or Baseline()
        self.first_at = snapshot.taken_at
        self.latest = snapshot
        self.previous: Snapshot | None = None
        self.total: Microcredits = 0
        """Credits seen to be spent since the first snapshot."""
        self.revoked_at = snapshot.taken_at if snapshot.status is KeyStatus.REVOKED else None
        """When the key was first seen revoked, this time round."""
        self.moved_at = snapshot.last_used_at or snapshot.created_at or snapshot.taken_at
        """The last sign of use: `last_used_at`, or the poll that saw spend where that is not known."""
        self.still_for: timedelta | None = None
        """How long the key had lain still when this poll saw it move; None when it did not move."""
        self.longest_still = timedelta(0)
        """The longest that the key is known to have lain still before it moved, this last time apart."""
        self._rest_from = timedelta(0)  # a rest is only worth a note beyond this: the least of that and of a day
        self.rests = 0
        """How often it lay still for a day or longer, this last time apart, and for how long together."""
        self.rested = timedelta(0)
        self.verdict: Verdict | None = None
        """How surprising this poll's spend is beside the baseline; None when it is not."""
        self.drift: Verdict | None = None
        """The same for the last three days as a whole."""
        self.peaks = [0.0] * _PEAK_DAYS
        """The highest surprise of a verdict on each of the last four UTC days, today's last."""
        self.drift_peak = 0.0
        """The highest surprise of a drift today."""
        self.surprising_days: list[int] = []
        """Days, since 1970, on which the key was surprising: one that often is must be more so to be told. A day beyond
        doubt and the one after it are none: what a thief did must not make his next visit harder to see."""
        seconds = snapshot.taken_at.timestamp()
        self._marks: list[float | Microcredits] = [seconds, 0]  # moments and `total` by then, in turn
        self._mark_from = _after(seconds, _MARK_EVERY)
        self._hour = int(seconds) // 3600
        self._hour_end = _hour_end(self._hour)
        self._hour_spent = 0.0
        self._hour_from = seconds  # the first hour was not seen from its start
        self._seconds = self._tick_from = seconds
        self._tick_end = _after(seconds, TICK)
        self.rhythm = Rhythm()
        self._room = _UNKNOWN  # credits of this hour below which the baseline need not be asked
        self._day_high = snapshot.spent  # None: not known yet today
        self._day_end = _day_end(seconds)
        born = snapshot.created_at
        if (
            born
            and snapshot.spent
            and timedelta(0) < snapshot.taken_at - born <= _JUST_BORN
            and day_of(born) == day_of(snapshot.taken_at)
        ):
            self.total = snapshot.spent  # all of it was spent since: it is seen as if we had watched from the start
            self._marks = [born.timestamp(), 0, seconds, self.total]
        self._tick_total = self.total

    def add(self, snapshot: Snapshot) -> Microcredits:
        """Take in the next snapshot and return the spend seen since the one before.

        A counter that went back within a day counts again from its highest: a figure that drops out for a poll is no
        spend. Over midnight only what the new day shows is counted, since the rest of the old one was not seen.
        """
        seconds, status = snapshot.taken_at.timestamp(), snapshot.status
        return self.take(snapshot, seconds, snapshot.spent, snapshot.last_used_at, status)

    def take(
        self,
        snapshot: Snapshot,
        seconds: float,
        counter: Microcredits | None,
        used_at: datetime | None,
        status: KeyStatus,
    ) -> Microcredits:
        """`add` for who has the columns of 10,000 snapshots: `taken_at` since 1970, spent, last used and status."""
        # One long body, and each figure read once: this runs 10,000 times in every poll.
        before = self.latest
        if seconds >= self._day_end:
            self._day_end = _day_end(seconds)
            self._day_high = counter
            spent = counter or 0
        elif counter is None:
            spent = 0
        elif self._day_high is None:
            spent, self._day_high = 0, counter  # when it was spent nobody saw
        elif counter > self._day_high:
            spent = counter - self._day_high
            self._day_high = counter
        else:
            spent = 0
        self.total += spent
        self.previous, self.latest = before, snapshot
        still_for = self.still_for
        if still_for is not None:
            if still_for > self._rest_from:
                self._note_rest(still_for)
            self.still_for = None
        moved_at = self.moved_at
        if used_at is None:
            if spent:
                self.still_for = max(snapshot.taken_at - moved_at, timedelta(0))
                self.moved_at = max(snapshot.taken_at, moved_at)
        elif used_at > moved_at:  # not only later than before: a source may drop it for a poll
            self.still_for = used_at - moved_at
            self.moved_at = used_at
        if status is not before.status:
            self.revoked_at = snapshot.taken_at if status is KeyStatus.REVOKED else None
        self.verdict = self.drift = None
        if counter is None:
            if self._day_high is None:
                self._seconds = seconds
                self._begin_hour(seconds)
            return 0  # what is known today goes on where it was: spend that shows later is spread over the gap
        start, self._seconds = self._seconds, seconds
        if seconds < self._hour_end and seconds - start <= _LONGEST_GAP:
            if spent:
                self._hour_spent += spent / CREDIT
        else:
            self._learn(start, seconds, spent / CREDIT)
        if seconds >= self._mark_from:
            self._mark(seconds, start, self.total - spent)
        if seconds >= self._tick_end:
            self._tick(seconds)
        if spent and (self._hour_spent > self._room or self.verdict):
            self._judge(seconds)
        return spent

    def rebase(self, counter: Microcredits, seconds: float) -> None:
        """The next snapshot's counter is another source's: what it says more or less than the last one is no spend."""
        self._day_high = counter
        self._day_end = max(self._day_end, _day_end(seconds))

    def _mark(self, seconds: float, start: float, before: Microcredits) -> None:
        marks = self._marks
        if seconds - start > _MARK_EVERY and start > marks[-2]:
            marks += (start, before)  # else what was spent shortly before a gap would be spread over the gap
        marks += (seconds, self.total)
        self._mark_from = _after(seconds, _MARK_EVERY)
        if len(marks) > 2 * _MOST_MARKS:
            del marks[: 2 * max(bisect_right(marks[::2], seconds - _MARKS_FOR) - 1, 0)]

    def _tick(self, seconds: float) -> None:
        spent = self.total - self._tick_total
        if spent or self.rhythm.pace:
            self.rhythm.add(spent / CREDIT, seconds - self._tick_from)
        self._tick_from, self._tick_end, self._tick_total = seconds, _after(seconds, TICK), self.total

    def _judge(self, seconds: float) -> None:
        if self.verdict is None:  # else the gap that this poll closed has been judged
            watched_from = self._hour_from
            whole = watched_from == self._hour * 3600.0
            last_hour = self.spent_within(_HOUR) / CREDIT if whole else self._hour_spent
            part = (seconds - watched_from) / 3600
            self.verdict, self.drift = self.baseline.judge(
                self._hour, part, self._hour_spent, last_hour, self.rhythm.evidence + self.cap_used
            )
            self._room = self.baseline.room
        if self.surprising_days and (self.verdict or self.drift):
            used_to = _USED_TO * min(self._surprised_lately(int(seconds) // 86400), _MOST_USED_TO)
            self.verdict = self.verdict and self.verdict.less(used_to)
            self.drift = self.drift and self.drift.less(used_to)
        if self.verdict and self.verdict.surprise > self.peaks[-1]:
            self.peaks[-1] = self.verdict.surprise
        if self.drift and self.drift.surprise > self.drift_peak:
            self.drift_peak = self.drift.surprise

    def _surprised_lately(self, today: int) -> int:
        """On how many of the last five weeks' days the key was surprising; what began yesterday may still go on."""
        return sum(today - _REMEMBERED < day < today - 1 for day in self.surprising_days)

    def close_day(self, day: int) -> float:
        """End a UTC day (counted in days since 1970): return its highest surprise and begin the next."""
        highest = max(self.peaks[-1], self.drift_peak)
        days = self.surprising_days
        incident = max(highest, self.peaks[-2]) >= BEYOND_DOUBT
        if highest >= _SURPRISING and not incident and (not days or day > days[-1] + 1):
            self.surprising_days = [*days, day][-_MOST_USED_TO - 1 :]
        self.peaks = [*self.peaks[1:], 0.0]
        self.drift_peak = 0.0
        return highest

    def _note_rest(self, rest: timedelta) -> None:
        if rest > self.longest_still:
            self.longest_still = rest
            self._rest_from = min(rest, _UNDER_A_DAY)
        if rest >= DAY:
            self.rests += 1
            self.rested += rest

    def _learn(self, start: float, end: float, spent: float) -> None:
        """Give the spend between two polls to the hours it fell in, evenly; finished hours go to the baseline."""
        self._room = _UNKNOWN
        if end - start > _LONGEST_GAP:
            midnight = int(end) // 86400 * 86400.0
            self.verdict = self.baseline.judge_gap(max(start, midnight), end, spent)
            self._begin_hour(end)
            return
        last = int(end) // 3600
        while self._hour < last:
            boundary = _hour_end(self._hour)
            share = spent * (boundary - start) / (end - start) if end > start else 0.0
            if self._hour_from == self._hour * 3600.0:
                self.baseline.learn(self._hour, self._hour_spent + share)
            start, spent = boundary, spent - share
            self._hour, self._hour_spent, self._hour_from = self._hour + 1, 0.0, boundary
        self._hour_spent += spent
        self._hour_end = _hour_end(self._hour)

    def _begin_hour(self, seconds: float) -> None:
        """Of this hour nothing was seen before: it teaches nothing, and what it spent is judged as a part."""
        self._hour, self._hour_spent, self._hour_from = int(seconds) // 3600, 0.0, seconds
        self._hour_end = _hour_end(self._hour)

    def spent_within(self, span: timedelta) -> Microcredits:
        """Spend seen in the last `span` (at most two and a half hours), by straight lines between polls."""
        return self.total - self._total_at(self._seconds - span.total_seconds())

    def watched_for(self, most: timedelta) -> timedelta:
        """How much of the last `most` has been watched at all."""
        return min(most, timedelta(seconds=self._seconds - self._marks[0]))

    def per_hour(self, span: timedelta = timedelta(minutes=30)) -> Microcredits:
        """The pace of the last `span`, or of what was watched of it; 0 before the second poll."""
        watched = self.watched_for(span)
        if watched < timedelta(seconds=30):
            return 0
        return int(self.spent_within(watched) * (timedelta(hours=1) / watched))

    def _total_at(self, seconds: float) -> Microcredits:
        times, totals = [*self._marks[::2], self._seconds], [*map(int, self._marks[1::2]), self.total]
        later = bisect_right(times, seconds)
        if not later or later == len(times):
            return totals[max(later - 1, 0)]
        (t1, t0), (v1, v0) = times[later - 1 : later + 1], totals[later - 1 : later + 1]
        return v1 + int((v0 - v1) * (seconds - t1) / (t0 - t1))

    @property
    def cap_used(self) -> float:
        """Of the day's cap the share that is gone: a leak runs towards it, ordinary use hardly does."""
        cap = self.latest.daily_cap
        return min((self.latest.spent or 0) / cap, 1.0) if cap else 0.0

    @property
    def stays_revoked(self) -> bool:
        """Whether an earlier poll saw the key revoked too."""
        return self.revoked_at is not None and self.latest.taken_at > self.revoked_at

    @property
    def hour(self) -> int:
        return hour_number(self.latest.taken_at)

    def dump(self) -> dict[str, Any]:
        """All but the baseline, as JSON can hold it; `load` makes a history of it that goes on as this one would."""
        return {
            "latest": [v.isoformat() if isinstance(v, datetime) else v for v in self.latest],
            "first_at": self.first_at.isoformat(),
            "moved_at": self.moved_at.isoformat(),
            "revoked_at": self.revoked_at and self.revoked_at.isoformat(),
            "total": self.total,
            "trail": self._marks,
            "hour": [self._hour, self._hour_spent, self._hour_from],
            "peaks": [*self.peaks, self.drift_peak],
            "surprising_days": self.surprising_days,
            "rests": self._rests(),
            "day_high": self._day_high,
            "tick": [self._tick_from, self._tick_total],
            "rhythm": self.rhythm.dump(),
        }

    def _rests(self) -> list[float]:
        """Longest, number and sum of rests as the next poll will know them: the last one counted."""
        last = self.still_for or timedelta(0)
        counts = last >= DAY
        rested = self.rested + last if counts else self.rested
        return [max(self.longest_still, last).total_seconds(), self.rests + counts, rested.total_seconds()]

    @classmethod
    def load(cls, state: dict[str, Any], baseline: Baseline) -> "History":
        """Raises KeyError, TypeError or ValueError when `state` is not of this version's making."""
        key_id, name, taken_at, spent, used_at, cap, status, rate, created_at, last_four = state["latest"]
        latest = Snapshot(
            key_id,
            name,
            datetime.fromisoformat(taken_at),
            spent,
            used_at and datetime.fromisoformat(used_at),
            cap,
            KeyStatus(status),
            rate,
            created_at and datetime.fromisoformat(created_at),
            last_four,
        )
        history = cls(latest, baseline)
        history.first_at = datetime.fromisoformat(state["first_at"])
        history.moved_at = datetime.fromisoformat(state["moved_at"])
        history.revoked_at = state["revoked_at"] and datetime.fromisoformat(state["revoked_at"])
        history.total = state["total"]
        history._marks = state["trail"]
        history._mark_from = _after(history._marks[-2], _MARK_EVERY)
        history._hour, history._hour_spent, history._hour_from = state["hour"]
        history._hour_end = _hour_end(history._hour)
        *history.peaks, history.drift_peak = state["peaks"]
        history.surprising_days = state["surprising_days"]
        longest, history.rests, rested = state["rests"]
        history.longest_still, history.rested = timedelta(seconds=longest), timedelta(seconds=rested)
        history._rest_from = min(history.longest_still, _UNDER_A_DAY)
        history._day_high = state["day_high"]
        history._tick_from, history._tick_total = state["tick"]
        history._tick_end = _after(history._tick_from, TICK)
        history.rhythm = Rhythm(*state["rhythm"])
        return history


# Remembered, so that 10,000 histories share a few numbers: with one each, a poll waits for memory a third of its time.
_one_for_all = lru_cache(maxsize=64)


@_one_for_all
def _hour_end(hour: int) -> float:
    return 3600.0 * (hour + 1)


@_one_for_all
def _after(seconds: float, more: float) -> float:
    return seconds + more


@_one_for_all
def _day_end(seconds: float) -> float:
    return (seconds // 86400 + 1) * 86400
