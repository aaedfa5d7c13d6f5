"""What a run of each app costs, learned from how the balance fell while runs were started."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from flowy_watch.core.usage import CREDIT, Microcredits

LEARNED_OVER = timedelta(days=14)
_FEWEST_INTERVALS, _FEWEST_RUNS = 8, 20
_GROUPS = 10
_ROUNDS, _SWEEPS = 6, 200
_SURE = 0.5  # of the price: what is less certain is no price
_HUBER = 1.5  # scaled deviations beyond which an interval weighs less
_TO_DEVIATION = 1.4826  # makes the median absolute deviation comparable to a standard deviation for normal data
_ELSE = ""  # the column of what is spent per hour by whom the meter does not see


@dataclass(frozen=True, slots=True)
class Interval:
    """What happened between two looks at the balance, with no top-up in between."""

    lasted: timedelta
    fell: Microcredits
    runs: Mapping[str, int]
    """Accepted, by app."""


@dataclass(frozen=True, slots=True)
class Learned:
    """A run of one app; the truth lies between `low` and `high` nineteen times in twenty."""

    price: Microcredits
    low: Microcredits
    high: Microcredits
    intervals: int
    """In which it ran."""


def learn(intervals: Sequence[Interval]) -> dict[str, Learned]:
    """Prices of the apps of which enough is known.

    Non-negative least squares on credits, with a constant rate for what the meter does not see, and less weight to
    intervals that do not fit (Huber). The uncertainty is two standard errors by the jackknife over ten groups, which is
    wide where apps always run together and cannot be told apart.
    """
    ran = {app: [one.runs[app] for one in intervals if one.runs.get(app)] for app in _apps(intervals)}
    known = [app for app, runs in ran.items() if len(runs) >= _FEWEST_INTERVALS and sum(runs) >= _FEWEST_RUNS]
    if not known:
        return {}
    columns = [*_apps(intervals), _ELSE]
    rows = [([_amount(one, column) for column in columns], one.fell / CREDIT) for one in intervals]
    whole = _fit(rows)
    parts = [_fit([row for n, row in enumerate(rows) if n % _GROUPS != group]) for group in range(_GROUPS)]
    found = {}
    for app in known:
        place = columns.index(app)
        price, error = whole[place], _jackknife([part[place] for part in parts])
        if price > 0 and 2 * error <= _SURE * price:
            low, high = max(price - 2 * error, 0.0), price + 2 * error
            found[app] = Learned(round(price * CREDIT), round(low * CREDIT), round(high * CREDIT), len(ran[app]))
    return found


def _apps(intervals: Iterable[Interval]) -> list[str]:
    return sorted({app for one in intervals for app in one.runs})


def _amount(interval: Interval, column: str) -> float:
    return interval.lasted / timedelta(hours=1) if column == _ELSE else float(interval.runs.get(column, 0))


_Row = tuple[list[float], float]


def _fit(rows: Sequence[_Row]) -> list[float]:
    weights = [1.0] * len(rows)
    found = [0.0] * len(rows[0][0])
    for _ in range(_ROUNDS):
        found = _solve(rows, weights, found)
        off = [abs(y - sum(a * b for a, b in zip(x, found, strict=True))) for x, y in rows]
        scale = _TO_DEVIATION * median(off)
        if scale <= 1e-9:
            break
        weights = [min(1.0, _HUBER * scale / each) if each else 1.0 for each in off]
    return found


def _solve(rows: Sequence[_Row], weights: Sequence[float], start: Sequence[float]) -> list[float]:
    """Coordinate descent on the normal equations: each step is the best non-negative value of one price."""
    size = len(start)
    cross = [[0.0] * size for _ in range(size)]
    toward = [0.0] * size
    for (x, y), weight in zip(rows, weights, strict=True):
        used = [n for n in range(size) if x[n]]
        for n in used:
            toward[n] += weight * x[n] * y
            for m in used:
                cross[n][m] += weight * x[n] * x[m]
    found = list(start)
    for _ in range(_SWEEPS):
        moved = 0.0
        for n in range(size):
            if not cross[n][n]:
                continue
            others = sum(cross[n][m] * found[m] for m in range(size) if m != n)
            best = max((toward[n] - others) / cross[n][n], 0.0)
            moved = max(moved, abs(best - found[n]))
            found[n] = best
        if moved < 1e-9:
            break
    return found


def _jackknife(estimates: Sequence[float]) -> float:
    """Standard error, from estimates that each leave one group out."""
    count, mean = len(estimates), sum(estimates) / len(estimates)
    error: float = ((count - 1) / count * sum((one - mean) ** 2 for one in estimates)) ** 0.5
    return error
