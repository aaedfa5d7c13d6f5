"""A series of figures over time as one picture: plain facts in, SVG out.

One builder for the backtest's page, the digest's mail (through `chart_png`) and the dashboard. Colours are attributes,
so that a picture needs no style sheet and passes a strict Content-Security-Policy; a page that also has `CHART_STYLE`
shows the same SVG in the dark where the reader's device is dark.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from math import isfinite

from flowy_watch.core.usage import DAY
from flowy_watch.render.chart_axis import amount_ticks, amount_words, axis_words, period_words, time_ticks
from flowy_watch.render.chart_palette import LIGHT, Palette, fill, stroke
from flowy_watch.render.chart_text import lines_of, safe, text_width

MOST_POINTS = 2000
_SIZE, _SMALL, _HEADING = 12.0, 11.0, 14.0  # of letters
_LINE = 16.0
_LABEL = 41.0  # room for the name of a day
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
_LIMIT_WITHIN = 1.6  # a limit further than this above all figures would flatten them: it is left to the words


class Shape(StrEnum):
    STEPS = "steps"  # what happened within each step
    LINE = "line"  # what stood at the end of each step


@dataclass(frozen=True, slots=True)
class Chart:
    """Figures in equal steps from `start_at`, NaN where nobody knows; all other sequences are as long, or empty."""

    title: str
    unit: str
    start_at: datetime
    values: Sequence[float]
    step: timedelta = timedelta(hours=1)
    shape: Shape = Shape.STEPS
    what: str = "spent"
    """What the figures are, for the legend."""
    expected: Sequence[float] = ()
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    range_name: str = "usual range"
    ahead: int = 0
    """So many of the last steps are still to come: that their values are not known is no gap."""
    limit: float | None = None
    limit_name: str = "daily cap"
    mark_at: datetime | None = None
    mark_name: str = "alert"

    @property
    def past(self) -> Sequence[float]:
        return self.values[: len(self.values) - self.ahead]

    @property
    def end_at(self) -> datetime:
        return self.start_at + self.step * len(self.values)

    def __post_init__(self) -> None:
        if not 1 <= len(self.values) <= MOST_POINTS:
            raise ValueError(f"a chart has 1 to {MOST_POINTS} points, not {len(self.values)}")
        if any(len(more) not in (0, len(self.values)) for more in (self.expected, self.low, self.high)):
            raise ValueError("expected, low and high must be as long as the values, or empty")


def series_chart(
    chart: Chart,
    *,
    palette: Palette = LIGHT,
    width: int = 400,
    height: int = 230,
    heading: bool = False,
    caption: Iterable[str] = (),
) -> str:
    """The SVG of a chart. `height` is without the heading (the title, shown) and the caption (lines beneath)."""
    room = width - 2 * 12
    above = lines_of(chart.title, _HEADING, room, most=2) if heading else []
    below = [line for text in caption for line in lines_of(text, _SIZE, room, most=3)]
    top = 20.0 * len(above) + (6 if above else 0)
    whole = top + height + (_LINE * len(below) + 8 if below else 0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{whole:.0f}" '
        f'viewBox="0 0 {width} {whole:.0f}" role="img" font-family="{_FONT}" font-size="{_SIZE:g}">',
        f"<title>{safe(chart.title)}</title><desc>{safe(description(chart))}</desc>",
        f'<rect width="100%" height="100%" {fill("paper", palette)}/>',
    ]
    drawing = _Drawing(chart, palette, width, top, top + height)
    parts += [drawing.text(line, 12, 22 + 20 * n, "ink", size=_HEADING) for n, line in enumerate(above)]
    parts += drawing.parts()
    parts += [drawing.text(line, 12, top + height + 10 + _LINE * n, "faint") for n, line in enumerate(below)]
    return "\n".join([*parts, "</svg>"])


def description(chart: Chart) -> str:
    """The picture in words, for those who do not see it."""
    known = [(value, n) for n, value in enumerate(chart.values) if isfinite(value)]
    words = [f"{chart.what.capitalize()}, {chart.unit}, {period_words(chart.start_at, chart.end_at)} (UTC)."]
    if known:
        highest, n = max(known)
        at = chart.start_at + n * chart.step
        words.append(f"Between {amount_words(min(known)[0])} and {amount_words(highest)}, the highest {_moment(at)}.")
        words.append(f"Last {amount_words(known[-1][0])}.")
    else:
        words.append("Nothing is known.")
    if len(known) < len(chart.past):
        words.append(f"{len(chart.past) - len(known)} of {len(chart.past)} are not known.")
    if chart.ahead and isfinite(chart.expected[-1]):
        words.append(f"Expected at the end: {amount_words(chart.expected[-1])}.")
    if chart.limit is not None:
        words.append(f"{chart.limit_name.capitalize()} {amount_words(chart.limit)}.")
    if chart.mark_at is not None:
        words.append(f"{chart.mark_name.capitalize()} {_moment(chart.mark_at)}.")
    return " ".join(words)


def _moment(at: datetime) -> str:
    return f"{at:%a} {at.day} {at:%b %H:%M} UTC"


class _Drawing:
    """The parts of one chart between `top` and `bottom`, from back to front."""

    def __init__(self, chart: Chart, palette: Palette, width: float, top: float, bottom: float) -> None:
        self.chart, self.palette = chart, palette
        shown = [v for row in (chart.values, chart.expected, chart.high) for v in row if isfinite(v)]
        highest = max(shown, default=0.0)
        self.limit = chart.limit if chart.limit is not None and 0 < chart.limit <= highest * _LIMIT_WITHIN else None
        self.amounts = amount_ticks(max(highest, (self.limit or 0) * 1.04))
        labels = max(text_width(words, _SMALL) for words in axis_words(self.amounts))
        self.left, self.right = 12 + labels + 6, width - 12.0
        self.top, self.floor, self.bottom = top + 30, bottom - 46, bottom
        self.per_point = (self.right - self.left) / len(chart.values)

    def x(self, n: float) -> float:
        return self.left + n * self.per_point

    def y(self, amount: float) -> float:
        return self.floor - (self.floor - self.top) * min(max(amount / self.amounts[-1], 0.0), 1.0)

    def place(self, at: datetime) -> float:
        return min(max(self.x((at - self.chart.start_at) / self.chart.step), self.left), self.right)

    def parts(self) -> Iterator[str]:
        chart = self.chart
        yield from self._unknown()
        yield from self._axes()
        if chart.low and chart.high:
            yield f'<path d="{self._band()}" {fill("band", self.palette)}/>'
        yield from self._values()
        if chart.expected:
            offset = 0.5 if chart.shape is Shape.STEPS else 1.0
            line = "".join(self._line(run, offset) for run in _runs(chart.expected))
            yield f'<path d="{line}" {stroke("expected", self.palette)} stroke-width="1.2" stroke-linejoin="round"/>'
        yield from self._limit()
        yield from self._mark()
        yield from self._legend()

    def _values(self) -> Iterator[str]:
        runs = list(_runs(self.chart.values))
        if self.chart.shape is Shape.STEPS:
            steps = "".join(self._steps(run) for run in runs)
            yield f'<path d="{steps}" {fill("spent", self.palette)} fill-opacity="0.88"/>'
            return
        line = "".join(self._line(run, 1.0) for run in runs)
        area = "".join(
            f"{self._line(run, 1.0)}V{self.floor:.1f}H{self.x(run[0][0] + 1):.1f}Z" for run in runs if len(run) > 1
        )
        yield f'<path d="{area}" {fill("spent", self.palette)} fill-opacity="0.18"/>'
        yield f'<path d="{line}" {stroke("spent", self.palette)} stroke-width="2" stroke-linecap="round"/>'

    def _steps(self, run: list[tuple[int, float]]) -> str:
        gap = self.per_point * 0.18 if self.per_point > 5 else 0.0
        if not gap:
            path = "".join(f"V{self.y(v):.1f}H{self.x(n + 1):.1f}" for n, v in run)
            return f"M{self.x(run[0][0]):.1f} {self.floor:.1f}{path}V{self.floor:.1f}Z"
        foot = f"{self.floor:.1f}"
        return "".join(
            f"M{self.x(n) + gap / 2:.1f} {foot}V{self.y(v):.1f}H{self.x(n + 1) - gap / 2:.1f}V{foot}Z"
            for n, v in run
            if v > 0
        )

    def _line(self, run: list[tuple[int, float]], offset: float) -> str:
        if len(run) == 1:  # a point alone would not be seen
            n, value = run[0]
            return f"M{self.x(n):.1f} {self.y(value):.1f}H{self.x(n + 1):.1f}"
        points = [f"{self.x(n + offset):.1f} {self.y(v):.1f}" for n, v in run]
        return "M" + "L".join(points)

    def _band(self) -> str:
        path = ""
        low, high = self.chart.low, self.chart.high
        for run in _runs([a + b for a, b in zip(low, high, strict=True)]):
            first, last = run[0][0], run[-1][0]
            path += f"M{self.x(first):.1f} {self.y(low[first]):.1f}"
            path += "".join(f"V{self.y(high[n]):.1f}H{self.x(n + 1):.1f}" for n in range(first, last + 1))
            path += "".join(f"V{self.y(low[n]):.1f}H{self.x(n):.1f}" for n in range(last, first - 1, -1)) + "Z"
        return path

    def _unknown(self) -> Iterator[str]:
        for run in _runs([0.0 if not isfinite(v) else float("nan") for v in self.chart.past]):
            x, width = self.x(run[0][0]), self.per_point * len(run)
            height = self.floor - self.top
            yield (
                f'<rect x="{x:.1f}" y="{self.top:.1f}" width="{width:.1f}" height="{height:.1f}" '
                f"{fill('unknown', self.palette)}/>"
            )

    def _axes(self) -> Iterator[str]:
        chart = self.chart
        for amount, words in zip(self.amounts, axis_words(self.amounts), strict=True):
            y = self.y(amount)
            yield f'<path d="M{self.left:.1f} {y:.1f}H{self.right:.1f}" {stroke("grid", self.palette)}/>'
            yield self.text(words, self.left - 6, y + 4, "faint", size=_SMALL, anchor="end")
        most = max((self.right - self.left) / _LABEL, 2)
        for tick in time_ticks(chart.start_at, chart.end_at, most=most):
            if not tick.label and chart.step >= DAY:
                continue  # with a figure a day, a line a day would be all there is to see
            x = self.place(tick.at)
            yield f'<path d="M{x:.1f} {self.top:.1f}V{self.floor + 4:.1f}" {stroke("grid", self.palette)}/>'
            if tick.label and x + text_width(tick.label, _SMALL) < self.right + 4:
                yield self.text(tick.label, x + 1, self.floor + 15, "faint", size=_SMALL)
        yield self.text(chart.unit, 12, self.top - 13, "faint", size=_SMALL)

    def _limit(self) -> Iterator[str]:
        if self.limit is None:
            return
        y, words = self.y(self.limit), f"{self.chart.limit_name} {amount_words(self.limit)}"
        yield (
            f'<path d="M{self.left:.1f} {y:.1f}H{self.right:.1f}" {stroke("limit", self.palette)} '
            'stroke-width="1.5" stroke-dasharray="6 4"/>'
        )
        yield self.text(words, self.left + 4, y - 5, "limit", size=_SMALL, halo=True)

    def _mark(self) -> Iterator[str]:
        if self.chart.mark_at is None:
            return
        x, words = self.place(self.chart.mark_at), f"{self.chart.mark_name} {_moment(self.chart.mark_at)}"
        half, beside = text_width(words, _SMALL) / 2, 12 + text_width(self.chart.unit, _SMALL) + 10
        middle = min(max(x, beside + half), self.right - half)
        down = f"M{x:.1f} {self.top - 6:.1f}V{self.floor:.1f}"
        yield f'<path d="{down}" {stroke("mark", self.palette)} stroke-width="1.2"/>'
        yield f'<path d="M{x - 4:.1f} {self.top - 9:.1f}h8l-4 6z" {fill("mark", self.palette)}/>'
        yield self.text(words, middle, self.top - 13, "mark", size=_SMALL, anchor="middle")

    def _legend(self) -> Iterator[str]:
        chart, y, x = self.chart, self.bottom - 12, 12.0
        entries = [(chart.what, "spent", 8)]
        if chart.low and chart.high:
            entries.append((chart.range_name, "band", 8))
        if chart.expected:
            entries.append(("expected", "expected", 2))
        if not all(isfinite(v) for v in chart.past):
            entries.append(("not watched", "unknown", 8))
        for words, colour, thick in entries:
            yield (
                f'<rect x="{x:.1f}" y="{y - 4 - thick / 2:.1f}" width="12" height="{thick}" '
                f"{fill(colour, self.palette)}/>"
            )
            yield self.text(words, x + 16, y, "faint", size=_SMALL)
            x += 16 + text_width(words, _SMALL) + 12
        period = f"{period_words(chart.start_at, chart.end_at)}, UTC"
        if x + text_width(period, _SMALL) < self.right:
            yield self.text(period, self.right, y, "faint", size=_SMALL, anchor="end")

    def text(
        self,
        words: str,
        x: float,
        y: float,
        colour: str,
        *,
        size: float = _SIZE,
        anchor: str = "start",
        halo: bool = False,
    ) -> str:
        """One line of text; a halo of paper keeps it readable on what is drawn behind it."""
        edge = ""
        if halo:
            edge = f' stroke="{self.palette.paper}" stroke-width="3" paint-order="stroke" stroke-linejoin="round"'
            colour_class = f'class="f-{colour} s-paper" fill="{getattr(self.palette, colour)}"'
        else:
            colour_class = fill(colour, self.palette)
        placed = "" if anchor == "start" else f' text-anchor="{anchor}"'
        sized = "" if size == _SIZE else f' font-size="{size:g}"'
        return f'<text x="{x:.1f}" y="{y:.1f}"{sized}{placed} {colour_class}{edge}>{safe(words)}</text>'


def _runs(values: Sequence[float]) -> Iterator[list[tuple[int, float]]]:
    """Stretches of known values, each with its place."""
    for known, run in groupby(enumerate(values), key=lambda pair: isfinite(pair[1])):
        if known:
            yield list(run)
