"""The pictures of a digest, by light and in the dark: days by key, the balance with its forecast, a line per key."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flowy_watch.core.digest import OTHER, Digest, KeyFigures, pictured
from flowy_watch.core.message import Enclosure
from flowy_watch.core.usage import CREDIT, DAY, Microcredits, day_start
from flowy_watch.render.chart import Chart, Shape, description, series_chart
from flowy_watch.render.chart_palette import DARK, LIGHT
from flowy_watch.render.chart_png import png_of
from flowy_watch.render.chart_stack import Layer, Stack, sparkline, stack_chart, stack_words
from flowy_watch.render.digest_figures import key_name

_NAN = float("nan")
_SCALE = 2.5
_LAYERS = 7


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture for mail, and the same in the dark."""

    title: str
    alt: str
    light: Enclosure
    dark: Enclosure


def pictures_of(digest: Digest) -> list[Picture]:
    """Those there are figures for."""
    return [picture for picture in (_days(digest), _balance(digest)) if picture is not None]


def spark_of(key: KeyFigures, number: int, period_days: int) -> Enclosure:
    """The last four weeks of one key, the period darker; of the period alone where no more is at hand."""
    values = [amount / CREDIT for amount in key.recent] or [(day or 0) / CREDIT for day in key.days]
    svg = sparkline(values, marked=period_days)
    return Enclosure(f"key-{number}.png", "image/png", png_of(svg, _SCALE), inline=True)


def _days(digest: Digest) -> Picture | None:
    stack = stack_of(digest)
    if stack is None:
        return None
    light, dark = (stack_chart(stack, palette=palette) for palette in (LIGHT, DARK))
    return _picture("days", stack.title, stack_words(stack), light, dark)


def stack_of(digest: Digest) -> Stack | None:
    """Spend of each day by key; None when there was none."""
    days = digest.days
    totals = [day.spent for day in days]
    if not any(totals):
        return None
    layers = list(_layers(digest, totals))
    of = "of these keys" if digest.owner else "by key"
    return Stack(
        title=f"Spend per day {of}, {len(days)} days",
        unit="credits a day",
        first=days[0].day,
        layers=layers,
        seen=[not day.unseen for day in days],
        marked=0 if digest.period.length >= len(days) else digest.period.length,
    )


def _layers(digest: Digest, totals: Sequence[Microcredits]) -> Iterator[Layer]:
    if digest.owner:  # the days before the period are known of few keys alone
        own = [key for key in digest.single_keys if key.spent][:_LAYERS]
        named = [(key_name(key), [day or 0 for day in key.days]) for key in own]
    else:
        named = [(key_name(key), list(key.recent)) for key in pictured(digest.keys)]
    for name, values in named:
        yield Layer(name, _credits(values))
    left = [total - sum(values[n] for _, values in named) for n, total in enumerate(totals)]
    if any(amount > 0 for amount in left):
        yield Layer(OTHER, _credits([max(amount, 0) for amount in left]), rest=True)


def _balance(digest: Digest) -> Picture | None:
    chart = balance_chart(digest)
    if chart is None:
        return None
    light, dark = (series_chart(chart, palette=palette, height=200) for palette in (LIGHT, DARK))
    return _picture("balance", chart.title, description(chart), light, dark)


def balance_chart(digest: Digest) -> Chart | None:
    """The balance at the end of each of the last days, and where it goes at the expected burn."""
    balance = digest.balance
    if balance is None:
        return None
    past = [_NAN if amount is None else amount / CREDIT for amount in balance.by_day]
    at_end = balance.at_end / CREDIT
    ahead = digest.ahead
    bridge = [_NAN] * (len(past) - 1) + [at_end]
    left = {
        name: [*bridge, *(max(at_end - getattr(one, name) / CREDIT, 0.0) for one in ahead)]
        for name in ("amount", "low", "high")
    }
    start = day_start(digest.period.end - len(past) * DAY)
    return Chart(
        "Balance, and where it goes" if ahead else "Balance",
        "credits",
        start,
        [*past, *[_NAN] * len(ahead)],
        step=DAY,
        shape=Shape.LINE,
        what="balance",
        expected=left["amount"] if ahead else (),
        low=left["high"] if ahead else (),
        high=left["low"] if ahead else (),
        range_name="likely range",
        ahead=len(ahead),
    )


def _picture(name: str, title: str, alt: str, light: str, dark: str) -> Picture:
    files = [
        Enclosure(f"{name}{suffix}.png", "image/png", png_of(svg, _SCALE), inline=True)
        for suffix, svg in (("", light), ("-dark", dark))
    ]
    return Picture(title, alt, *files)


def _credits(amounts: Sequence[Microcredits]) -> list[float]:
    return [amount / CREDIT for amount in amounts]
