"""Ordinary use of many keys, without one incident: what must stay quiet. The same seed gives the same workspace.

Ten manners of use, made from what such use looks like and not from any data that was given to develop with. Every
amount is a whole number of runs times the key's price. Polls come every 15 minutes, a few are missed, now and then for
hours.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import cos, exp, log, pi, sqrt
from random import Random

from flowy_watch.core.usage import CREDIT, Reading, Snapshot

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
STEP = timedelta(minutes=15)
PER_DAY, PER_HOUR = 96, 4
_PHASE = timedelta(minutes=6)  # polls do not come on the hour: one of them straddles midnight
_PRICES = (1, 2, 5, 8, 10, 25, 40, 60, 120, 250)

Rates = list[float]
"""Expected runs of each step."""


@dataclass(frozen=True, slots=True)
class Key:
    key_id: str
    manner: str
    price: int
    cap: int | None
    runs: "array[int]"
    """Of each step; a step ends with its poll."""


def manner_of(key_id: str) -> str:
    return key_id.partition("-")[0]


def make_keys(count: int, days: int, seed: int) -> list[Key]:
    """`count` keys, in the proportions of `MANNERS`."""
    total = sum(share for share, _ in MANNERS.values())
    keys: list[Key] = []
    covered = 0
    for manner, (share, make) in MANNERS.items():
        covered += share
        while len(keys) < round(count * covered / total):
            random = Random(f"{seed}/{manner}/{len(keys)}")
            keys.append(_key(random, f"{manner}-{len(keys):03d}", make(random, days * PER_DAY)))
    return keys


def _key(random: Random, key_id: str, rates: Rates) -> Key:
    burstiness = random.uniform(0.05, 0.5)  # the share by which single steps stray from their rate
    shape = 1 / burstiness**2
    runs = array("l", (_poisson(random, rate * random.gammavariate(shape, 1 / shape)) if rate else 0 for rate in rates))
    price = random.choice(_PRICES)
    highest = max(sum(runs[day : day + PER_DAY]) for day in range(0, len(runs), PER_DAY)) * price
    cap = round(highest * random.uniform(1.2, 3)) + 1 if random.random() < 0.6 else None
    return Key(key_id, manner_of(key_id), price, cap, runs)


def _poisson(random: Random, mean: float) -> int:
    if mean > 40:
        return max(round(random.gauss(mean, sqrt(mean))), 0)
    count, product, floor = 0, random.random(), exp(-mean)
    while product > floor:
        count, product = count + 1, product * random.random()
    return count


def polls(keys: Sequence[Key], seed: int) -> Iterator[Reading]:
    """What a watcher saw of them."""
    random = Random(f"{seed}/polls")
    steps = len(keys[0].runs)
    missed = _missed(random, steps)
    spent = [0] * len(keys)
    used: list[datetime | None] = [None] * len(keys)
    for step in range(steps):
        at = START + step * STEP + _PHASE
        new_day = step % PER_DAY == 0
        for n, key in enumerate(keys):
            runs = key.runs[step]
            if runs:
                used[n] = at - random.random() * STEP
            if new_day:  # what was run before midnight is in a counter that is gone
                runs = sum(random.random() * STEP < _PHASE for _ in range(runs)) if runs < 50 else round(runs * 0.4)
                spent[n] = 0
            spent[n] += runs * key.price * CREDIT
        if step in missed:
            continue
        taken_at = at + timedelta(seconds=random.randint(0, 20))
        yield Reading(
            taken_at,
            tuple(
                Snapshot(key.key_id, key.key_id, taken_at, s, u, key.cap and key.cap * CREDIT)
                for key, s, u in zip(keys, spent, used, strict=True)
            ),
        )


def _missed(random: Random, steps: int) -> frozenset[int]:
    missed = {step for step in range(steps) if random.random() < 0.005}
    for length in (2, 5, 10, 20, 60):  # outages, up to 15 hours
        start = random.randrange(steps)
        missed.update(range(start, start + length))
    return frozenset(missed)


def _level(random: Random, lowest: float = 20, highest: float = 3000) -> float:
    """Runs per day: any order of magnitude is as likely as the next."""
    return exp(random.uniform(log(lowest), log(highest)))


def _weather(random: Random, steps: int, spread: float) -> Rates:
    """Good and bad days that last for some: a slow factor about 1."""
    state, factors = random.gauss(0, spread), []
    for _ in range(steps // PER_DAY + 1):
        state = 0.6 * state + 0.8 * random.gauss(0, spread)
        factors += [exp(state)] * PER_DAY
    return factors


def _steady(random: Random, steps: int) -> Rates:
    """Production: day and night, more by day, a little less at weekends."""
    level, swing, peak = _level(random) / PER_DAY, random.uniform(0.1, 0.9), random.uniform(0, 24)
    weekend = random.uniform(0.6, 1.1)
    weather = _weather(random, steps, random.uniform(0.03, 0.2))
    return [
        level
        * (1 + swing * cos(2 * pi * (step / PER_HOUR - peak) / 24))
        * (weekend if step // PER_DAY % 7 >= 5 else 1)
        * weather[step]
        for step in range(steps)
    ]


def _business(random: Random, steps: int) -> Rates:
    """Working days, working hours, lunch; a little outside of them for some."""
    begin, length, level = random.uniform(5, 15), random.uniform(7, 11), _level(random) / 36
    outside = random.choice((0.0, 0.0, 0.01, 0.03))
    weather = _weather(random, steps, random.uniform(0.1, 0.3))
    rates = []
    for step in range(steps):
        hour = (step / PER_HOUR - begin) % 24
        weekday = ((step / PER_HOUR - begin) // 24) % 7
        working = weekday < 5 and hour < length
        lunch = 0.5 if 0.4 * length < hour < 0.5 * length else 1.0
        rates.append(level * weather[step] * (lunch if working else outside))
    return rates


def _job(random: Random, rates: Rates, start: int, size: float, length: int) -> None:
    """Spread a job's runs over the steps it takes."""
    for step in range(start, min(start + length, len(rates))):
        rates[step] += size / length * random.uniform(0.7, 1.3)


def _nightly(random: Random, steps: int) -> Rates:
    """One batch a night, seldom left out; what it has to do differs from night to night."""
    rates, start, size = [0.0] * steps, random.randrange(PER_DAY), _level(random, 30, 5000)
    spread, weekday_only = random.uniform(0.1, 0.4), random.random() < 0.3
    for day in range(0, steps, PER_DAY):
        if random.random() < 0.02 or (weekday_only and day // PER_DAY % 7 >= 5):
            continue
        load = size * random.lognormvariate(0, spread)
        _job(random, rates, day + start + random.choice((0, 0, 0, 1, 2)), load, random.randint(4, 12))
    return rates


def _weekly(random: Random, steps: int) -> Rates:
    """The same once a week."""
    rates, start, size = [0.0] * steps, random.randrange(7 * PER_DAY), _level(random, 30, 5000)
    spread = random.uniform(0.1, 0.4)
    for week in range(0, steps, 7 * PER_DAY):
        if random.random() < 0.96:
            load = size * random.lognormvariate(0, spread)
            _job(random, rates, week + start + random.choice((0, 0, 0, 1, 2)), load, random.randint(3, 16))
    return rates


def _sessions(random: Random, steps: int, *, per_week: float, weekend: float, size: float, spread: float) -> Rates:
    """People at work: sessions begin by chance in waking hours, their sizes are log-normal."""
    rates, begin = [0.0] * steps, random.uniform(0, 24)
    for step in range(steps):
        hour, weekday = (step / PER_HOUR - begin) % 24, ((step / PER_HOUR - begin) // 24) % 7
        share = weekend if weekday >= 5 else 1.0
        awake = 1.0 if 8 <= hour < 19 else 0.15 if 19 <= hour < 23 else 0.0
        if random.random() < per_week / (5 * 11 * PER_HOUR) * share * awake:
            _job(random, rates, step, size * random.lognormvariate(0, spread), random.randint(1, 8))
    return rates


def _human(random: Random, steps: int) -> Rates:
    return _sessions(
        random,
        steps,
        per_week=random.uniform(5, 25),
        weekend=random.uniform(0, 0.3),
        size=_level(random, 5, 100),
        spread=random.uniform(0.6, 1.2),
    )


def _sparse(random: Random, steps: int) -> Rates:
    """A developer's key, used a few times a month."""
    return _sessions(
        random,
        steps,
        per_week=random.uniform(0.5, 3),
        weekend=random.uniform(0, 0.5),
        size=_level(random, 3, 50),
        spread=random.uniform(0.6, 1.2),
    )


def _flashy(random: Random, steps: int) -> Rates:
    """Production with flash crowds: a few a month, at any hour, gone within hours."""
    rates, per_month = _steady(random, steps), random.uniform(2, 6)
    for start in range(steps):
        if random.random() < per_month / (30 * PER_DAY):
            height, hours = random.lognormvariate(log(2), 0.6), random.uniform(0.5, 2)
            for step in range(start, min(start + 32, steps)):
                rates[step] *= 1 + height * exp(-(step - start) / (hours * PER_HOUR))
    return rates


def _growing(random: Random, steps: int) -> Rates:
    """Growth by 2 to 10 % a week."""
    weekly = random.uniform(0.02, 0.10)
    rates = random.choice((_steady, _business))(random, steps)
    return [rate * exp(weekly * step / (7 * PER_DAY)) for step, rate in enumerate(rates)]


def _shifting(random: Random, steps: int) -> Rates:
    """One or two changes of the level, by 10 to 50 % up or down, for good."""
    rates = random.choice((_steady, _business, _nightly))(random, steps)
    for _ in range(random.randint(1, 2)):
        change = 1 + random.uniform(0.1, 0.5) * random.choice((-1, 1))
        since = random.randrange(steps)
        rates = [rate * change if step >= since else rate for step, rate in enumerate(rates)]
    return rates


def _idle(random: Random, steps: int) -> Rates:
    """Mostly zero, with stretches of use that follow no clock."""
    begin, end = random.uniform(0.02, 0.15) / PER_HOUR, random.uniform(0.2, 0.6) / PER_HOUR
    level, busy, rates = _level(random, 2, 100) / PER_HOUR, False, []
    for _ in range(steps):
        busy = random.random() >= end if busy else random.random() < begin
        rates.append(level if busy else 0.0)
    return rates


MANNERS: dict[str, tuple[int, Callable[[Random, int], Rates]]] = {
    "steady": (40, _steady),
    "business": (40, _business),
    "nightly": (20, _nightly),
    "weekly": (10, _weekly),
    "human": (30, _human),
    "sparse": (20, _sparse),
    "flashy": (10, _flashy),
    "growing": (10, _growing),
    "shifting": (10, _shifting),
    "idle": (10, _idle),
}
"""Of two hundred keys how many, and how they are made."""
