"""How far a key's spend is from what was expected of it, and how unlikely that is.

The spend of the last hour, four hours, day and three days is held against its forecast; so is the spend of the last
hour if it is a still one (in which this key is hardly ever used), and the number of still hours with any use. Each
window is judged by two models that err in different ways, and the surprise is the mean of both:

* a beta-prime tail: spend is a gamma sum of bursts whose size is known only from the bursts seen so far
  (`tails.beta_prime_surprise`); it knows that ten runs more are nothing where a thousand are usual;
* peaks over threshold: the logarithm of actual over expected, with an exponential tail fitted to this key's own
  largest excesses in this window (Pickands 1975; Siffer et al., "Anomaly detection in streams with extreme value
  theory", KDD 2017); it knows that this key is given to flashes.

A key that is hardly used at all has no spread worth the name. It must also stand a third test: how rare it is that the
key is used at this kind of time, and how large this use is beside its earlier ones (log-normal, Student's t).
"""

from collections.abc import Iterable
from math import exp, inf, log, log10, sqrt
from typing import ClassVar, NamedTuple

from flowy_watch.core.tails import beta_prime_surprise, gamma_surprise, student_surprise

SPENT, ODD_SPEND, ODD_HOURS, SPENT_CUSUM, ODD_CUSUM = range(5)
"""What is counted: all spend; spend in usually still hours alone; usually still hours with any use; and the first two
hour after hour (see `core.cusum`)."""

WINDOWS = (*((SPENT, hours) for hours in (1, 4, 24, 72)), (ODD_SPEND, 1), (ODD_HOURS, 8))
LONGEST = 72

TOLD_FROM = 2.5
"""No surprise below this is ever told or counted; a threshold cannot be lower."""

BEYOND_DOUBT = 5.0
"""A day that reached it saw an incident: it says nothing about how far a key strays on ordinary days."""

_MOST = 12.0  # beyond it no model is believed
_MOST_TAIL = 7.0  # nor the first, which knows no flashes, beyond this but for the longest window
_SOFTEN = 0.25  # of a burst, added to actual and expected alike: a ratio of small numbers says little
_PEAK = 0.7  # the log ratio above which an excess is a peak: twice the expected
_PEAK_CAP = 2.0  # an excess counts for no more than this when the tail is fitted: an incident must not become normal
_PEAK_MEAN, _PEAK_MEAN_WEIGHT = 0.5, 6.0  # what is believed of a tail before it is seen
_PEAK_SHARE, _PEAK_SHARE_WEIGHT = 0.02, 40.0
_SIZE_SPREAD, _SIZE_WEIGHT = 1.2, 4.0  # the same for the spread of the logarithm of a use's size
_FEW = 30.0  # hours with use within the weeks remembered: below it a key is hardly used
_DOUBT = 0.5  # the third test may be this much less surprised than the others
HINT = 1.0
"""From this surprise on other signs count beside how much was spent."""


class Seen(NamedTuple):
    """One window: what was, and what had been forecast; credits, or hours for activity."""

    actual: float
    expected: float


class Verdict(NamedTuple):
    """The most surprising window of one poll."""

    surprise: float
    stream: int
    hours: int
    actual: float
    expected: float

    @property
    def excess(self) -> float:
        """Credits beyond the expected; for activity there are none to tell: enough for any floor."""
        return inf if self.stream == ODD_HOURS else self.actual - self.expected

    def less(self, amount: float) -> "Verdict | None":
        """The same, less surprising; None when hardly any is left."""
        left = self.surprise - amount
        return self._replace(surprise=left) if left >= TOLD_FROM else None


class Window:
    """What one window of one key has shown so far, as weighted sums in which newer hours weigh more.

    `weight` is the weight of the present hour; dividing a sum by it gives the sum as if the present weighed 1.
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "expected",
        "residual",
        *(f"{name}{kind}" for kind in "ab" for name in ("seen", "peaks", "tails", "excess")),
        "uses",
        "size",
        "size_squared",
        "still",
        "still_used",
        "busy",
        "busy_used",
    )
    __slots__ = ("hours", "stream", *FIELDS)

    expected: float
    residual: float
    seena: float
    peaksa: float
    tailsa: float
    excessa: float
    seenb: float
    peaksb: float
    tailsb: float
    excessb: float
    uses: float
    size: float
    size_squared: float
    still: float
    still_used: float
    busy: float
    busy_used: float

    def __init__(self, stream: int, hours: int, numbers: Iterable[float] | None = None) -> None:
        self.stream, self.hours = stream, hours
        for name, value in zip(self.FIELDS, numbers or (0.0,) * len(self.FIELDS), strict=True):
            setattr(self, name, value)

    def numbers(self) -> list[float]:
        """All that was learned, in the order of FIELDS."""
        return [getattr(self, name) for name in self.FIELDS]

    def scale(self, factor: float) -> None:
        for name in self.FIELDS:
            setattr(self, name, getattr(self, name) * factor)

    def learn(self, seen: Seen, weight: float, *, still: bool, whole: bool, least: float) -> None:
        """Take in the window that ends with a finished hour; `whole` for one that does not overlap the last such."""
        actual, expected = seen
        self.expected += weight * expected
        # An incident counts here, too, for no more than the cap: else one wild hour would be a burst for weeks.
        most = (expected + _SOFTEN * max(self.burst, least)) * exp(_PEAK + _PEAK_CAP)
        self.residual += weight * (min(actual, most) - expected) ** 2
        if self.stream == ODD_HOURS:
            return
        self._learn_peak(actual, expected, weight, max(self.burst, least))
        used = weight if actual > 0 else 0.0
        if still if not self.stream else expected > 0:
            self.still += weight
            self.still_used += used
        elif not self.stream:
            self.busy += weight
            self.busy_used += used
        if whole and used:
            size = log(actual)
            self.uses += weight
            self.size += weight * size
            self.size_squared += weight * size * size

    def _learn_peak(self, actual: float, expected: float, weight: float, burst: float) -> None:
        if burst <= 0:
            return
        ratio = log((actual + _SOFTEN * burst) / (expected + _SOFTEN * burst)) - _PEAK
        over = min(ratio, _PEAK_CAP)
        if self._is_still(expected, burst):
            self.seenb += weight
            if ratio > 0:
                self.peaksb += weight
                self.excessb += weight * over
                self.tailsb += weight if ratio < _PEAK_CAP else 0.0
        else:
            self.seena += weight
            if ratio > 0:
                self.peaksa += weight
                self.excessa += weight * over
                self.tailsa += weight if ratio < _PEAK_CAP else 0.0

    def _is_still(self, expected: float, burst: float) -> bool:
        return not self.stream and expected < 0.3 * burst

    @property
    def burst(self) -> float:
        """Variance over mean: the size of the lumps in which this key spends, in credits."""
        return self.residual / self.expected if self.expected > 0 else 0.0

    @property
    def share_used(self) -> float:
        """Of all hours, how many saw the key used."""
        seen = self.still + self.busy
        return (self.still_used + self.busy_used) / seen if seen > 0 else 0.0

    def few(self, weight: float) -> bool:
        """Whether the key is hardly ever used."""
        return self.uses / weight < _FEW

    def bar(self, expected: float, least: float) -> float:
        """Below this much spend the window is not worth judging."""
        return max(1.15 * expected, expected + 2 * sqrt(max(self.burst, least) * expected))

    def judge(self, seen: Seen, weight: float, *, still: bool, few: bool, least: float) -> Verdict | None:
        """How surprising the window is, if at all. `least` bounds the size of a burst from below."""
        return self.verdict(seen, self.surprise(seen, weight, still=still, few=few, least=least))

    def verdict(self, seen: Seen, surprise: float) -> Verdict | None:
        if surprise < TOLD_FROM:
            return None
        return Verdict(surprise, self.stream, self.hours, seen.actual, seen.expected)

    def surprise(self, seen: Seen, weight: float, *, still: bool, few: bool, least: float) -> float:
        """The same as a number, also where it is too little to tell."""
        actual, expected = seen
        if self.stream == ODD_HOURS:
            if few or actual <= expected:
                return 0.0
            burst = max(self.burst, 1.0)  # hours
            return min(gamma_surprise(max(expected / burst, 1e-6), actual / burst), _MOST)
        burst = max(self.burst, least)
        if burst <= 0 or actual <= self.bar(expected, least):
            return 0.0
        bursts = max(self.expected / weight / self.hours / burst, 0.5) + (2 if self.stream else 0)
        evidence = bursts if self.stream else bursts + 1
        tail = beta_prime_surprise(max(expected / burst, 1e-6), evidence, actual / (burst * bursts))
        most = _MOST_TAIL if self.hours < LONGEST else _MOST
        surprise = (min(tail, most) + min(self._peak_surprise(actual, expected, weight, burst), _MOST)) / 2
        if few:
            surprise = min(surprise, tail, self._rarity(actual, weight, still=still) + _DOUBT)
        return surprise

    def _peak_surprise(self, actual: float, expected: float, weight: float, burst: float) -> float:
        ratio = log((actual + _SOFTEN * burst) / (expected + _SOFTEN * burst)) - _PEAK
        if ratio <= 0:
            return 0.0
        seen, peaks, tails, excess = (
            (self.seenb, self.peaksb, self.tailsb, self.excessb)
            if self._is_still(expected, burst)
            else (self.seena, self.peaksa, self.tailsa, self.excessa)
        )
        mean = (excess / weight + _PEAK_MEAN_WEIGHT * _PEAK_MEAN) / (tails / weight + _PEAK_MEAN_WEIGHT)
        share = (peaks / weight + _PEAK_SHARE_WEIGHT * _PEAK_SHARE) / (seen / weight + _PEAK_SHARE_WEIGHT)
        return ratio / mean / log(10) - log10(share)

    def _rarity(self, actual: float, weight: float, *, still: bool) -> float:
        uses = self.uses / weight
        if uses <= 0 or actual <= 0:
            return 0.0
        seen, used = (self.still, self.still_used) if still or self.stream else (self.busy, self.busy_used)
        arrival = -log10((used / weight + 0.5) / (seen / weight + 1))
        mean = self.size / self.uses
        spread = max(self.size_squared / weight - uses * mean * mean, 0.0)
        deviation = sqrt((spread + _SIZE_WEIGHT * _SIZE_SPREAD**2) / max(uses + _SIZE_WEIGHT - 1, 1))
        z = (log(actual) - mean) / (deviation * sqrt(1 + 1 / max(uses, 0.5)))
        return arrival + student_surprise(z, max(uses + _SIZE_WEIGHT - 1, 2))
