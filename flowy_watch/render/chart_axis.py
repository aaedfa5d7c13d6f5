"""Where the ticks of a chart stand and what is written at them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, floor, isfinite, log10

from flowy_watch.core.usage import DAY, day_of, day_start

_STEPS = (1, 2, 2.5, 5, 10)
_HOURS = (1, 2, 3, 6, 12)
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_LEAST = 1e-6  # a micro-credit
_WORDS_FROM = 100_000  # below it a figure is written out


@dataclass(frozen=True, slots=True)
class Tick:
    at: datetime
    label: str
    """Empty for a line without words."""


def amount_ticks(highest: float, *, most: int = 5) -> list[float]:
    """Round amounts from 0 up to at least `highest`, at most `most` steps apart."""
    if not isfinite(highest) or highest < _LEAST:
        return [0.0, 1.0]
    power = 10.0 ** floor(log10(highest / most))
    step = next(power * times for times in _STEPS if power * times * most >= highest * (1 - 1e-9))
    ticks = [0.0]
    while ticks[-1] < highest * (1 - 1e-9):
        ticks.append(step * len(ticks))
    return ticks


def amount_words(amount: float) -> str:
    """`0.25`, `1,500`, `250k`, `1.2M`: short enough for an axis."""
    if amount >= _WORDS_FROM:
        size, unit = next((size, unit) for size, unit in _UNITS if amount >= size)
        return f"{amount / size:.4g}{unit}"
    if amount >= 1000:
        return f"{amount:,.0f}"
    return f"{amount:.4g}"


def axis_words(amounts: Sequence[float]) -> list[str]:
    """Of the ticks of one axis, all in the unit of the highest: `0`, `50k`, `100k`."""
    highest = max(amounts, default=0.0)
    if highest < _WORDS_FROM:
        return [amount_words(amount) for amount in amounts]
    size, unit = next((size, unit) for size, unit in _UNITS if highest >= size)
    return [f"{amount / size:.4g}{unit}" if amount else "0" for amount in amounts]


def time_ticks(start: datetime, end: datetime, *, most: float) -> list[Tick]:
    """00:00 UTC of each day with its name on at most `most` of them; within two days, round hours."""
    span = end - start
    if span <= 2 * DAY:
        return list(_hours(start, end, most))
    every = max(ceil(span / DAY / most), 1)
    if every > 1:
        every = next((n for n in (2, 7, 14, 28, 91, 364) if n >= every), every)
    return list(_days(start, end, every))


def _days(start: datetime, end: datetime, every: int) -> Iterator[Tick]:
    day = day_of(start) + (DAY if day_start(day_of(start)) < start else timedelta(0))
    while day_start(day) < end:
        named = day.toordinal() % every == (1 % every)  # Mondays where they are a week or more apart
        label = f"{day:%a} {day.day}" if every == 1 else f"{day.day} {day:%b}"
        if named:
            yield Tick(day_start(day), label)
        elif every <= 7:
            yield Tick(day_start(day), "")
        day += DAY


def _hours(start: datetime, end: datetime, most: float) -> Iterator[Tick]:
    span = (end - start) / timedelta(hours=1)
    every = next((n for n in _HOURS if n * most >= span), 24)
    at = start.replace(minute=0, second=0, microsecond=0)
    while at < end:
        if at >= start and at.hour % every == 0:
            yield Tick(at, f"{at:%a} {at.day}" if at.hour == 0 else f"{at:%H:%M}")
        at += timedelta(hours=1)


def period_words(start: datetime, end: datetime) -> str:
    """`3–11 Nov 2025`, both days included."""
    first, last = day_of(start), day_of(max(end - timedelta(seconds=1), start))
    if first == last:
        return f"{first.day} {first:%b %Y}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{last.day} {last:%b %Y}"
    if first.year == last.year:
        return f"{first.day} {first:%b} – {last.day} {last:%b %Y}"
    return f"{first.day} {first:%b %Y} – {last.day} {last:%b %Y}"
