"""Days as bars, one layer for each key: who drove the spend, and its rhythm over the weeks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite

from flowy_watch.core.usage import DAY, day_start
from flowy_watch.render.chart_axis import amount_ticks, amount_words, axis_words, period_words, time_ticks
from flowy_watch.render.chart_palette import LIGHT, Palette, fill, series_fill, stroke
from flowy_watch.render.chart_text import safe, text_width

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
_SIZE, _SMALL, _LINE = 12.0, 11.0, 17.0
_LONGEST = 30
_GREY = 99


@dataclass(frozen=True, slots=True)
class Layer:
    """One thing's share of each day; those with `rest` get grey instead of a colour."""

    name: str
    values: Sequence[float]
    rest: bool = False


@dataclass(frozen=True, slots=True)
class Stack:
    """Layers over days from `first`, the lowest first; all as long as `seen`, which is false for days nobody saw."""

    title: str
    unit: str
    first: date
    layers: Sequence[Layer]
    seen: Sequence[bool]
    marked: int = 0
    """So many of the last days are what this is about; those before them are paler."""

    def totals(self) -> list[float]:
        return [sum(layer.values[n] for layer in self.layers) for n in range(len(self.seen))]


def stack_chart(stack: Stack, *, palette: Palette = LIGHT, width: int = 400, height: int = 210) -> str:
    """The SVG. `height` is without the legend, which takes the lines it needs."""
    drawing = _Drawing(stack, palette, width, height)
    legend, lines = drawing.legend()
    whole = height + _LINE * lines + 6
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{whole:.0f}" '
            f'viewBox="0 0 {width} {whole:.0f}" role="img" font-family="{_FONT}" font-size="{_SIZE:g}">',
            f"<title>{safe(stack.title)}</title><desc>{safe(stack_words(stack))}</desc>",
            f'<rect width="100%" height="100%" {fill("paper", palette)}/>',
            *drawing.axes(),
            *drawing.bars(),
            *legend,
            "</svg>",
        ]
    )


def stack_words(stack: Stack) -> str:
    """The picture in words, for those who do not see it."""
    totals = [total for total, seen in zip(stack.totals(), stack.seen, strict=True) if seen]
    end = stack.first + len(stack.seen) * DAY
    words = [f"Spent per day, {stack.unit}, {period_words(day_start(stack.first), day_start(end))} (UTC)."]
    if totals:
        words.append(f"Between {amount_words(min(totals))} and {amount_words(max(totals))} a day.")
    largest = sorted(stack.layers, key=lambda layer: -sum(layer.values))[:3]
    if named := [f"{layer.name} {amount_words(sum(layer.values))}" for layer in largest if any(layer.values)]:
        words.append(f"Most: {', '.join(named)}.")
    if missing := stack.seen.count(False) if isinstance(stack.seen, list | tuple) else 0:
        words.append(f"{missing} of {len(stack.seen)} days were not seen.")
    return " ".join(words)


class _Drawing:
    def __init__(self, stack: Stack, palette: Palette, width: float, height: float) -> None:
        self.stack, self.palette = stack, palette
        self.amounts = amount_ticks(max(stack.totals(), default=0.0))
        labels = max(text_width(words, _SMALL) for words in axis_words(self.amounts))
        self.left, self.right = 12 + labels + 6, width - 12.0
        self.top, self.floor, self.bottom = 26.0, height - 24.0, height
        self.per_day = (self.right - self.left) / max(len(stack.seen), 1)

    def y(self, amount: float) -> float:
        share = amount / self.amounts[-1] if isfinite(amount) else 0.0
        return self.floor - (self.floor - self.top) * min(max(share, 0.0), 1.0)

    def axes(self) -> Iterator[str]:
        stack, palette = self.stack, self.palette
        for n, seen in enumerate(stack.seen):
            if not seen:
                yield self._box(n, self.top, self.floor, fill("unknown", palette), gap=0)
        for amount, words in zip(self.amounts, axis_words(self.amounts), strict=True):
            y = self.y(amount)
            yield f'<path d="M{self.left:.1f} {y:.1f}H{self.right:.1f}" {stroke("grid", palette)}/>'
            yield self._words(words, self.left - 6, y + 4, anchor="end")
        start, end = day_start(stack.first), day_start(stack.first + len(stack.seen) * DAY)
        for tick in time_ticks(start, end, most=6):
            if tick.label:
                x = self.left + self.per_day * ((tick.at - start) / DAY)
                yield f'<path d="M{x:.1f} {self.top:.1f}V{self.floor + 4:.1f}" {stroke("grid", palette)}/>'
                if x + text_width(tick.label, _SMALL) < self.right + 4:
                    yield self._words(tick.label, x + 1, self.floor + 16)
        yield self._words(stack.unit, 12, self.top - 11)

    def bars(self) -> Iterator[str]:
        foots = [0.0] * len(self.stack.seen)
        pale = len(foots) - self.stack.marked if self.stack.marked else 0
        for place, layer in enumerate(self.stack.layers):
            colour = series_fill(_GREY if layer.rest else place, self.palette)
            for days, opacity in ((range(pale), ' fill-opacity="0.55"'), (range(pale, len(foots)), "")):
                path = ""
                for n in days:
                    if layer.values[n] > 0:
                        top = foots[n] + layer.values[n]
                        path += self._bar(n, self.y(top), self.y(foots[n]))
                        foots[n] = top
                if path:
                    yield f'<path d="{path}" {colour}{opacity}/>'

    def legend(self) -> tuple[list[str], int]:
        """Squares and names in as many lines as they take."""
        parts, x, line = [], 12.0, 0
        for place, layer in enumerate(self.stack.layers):
            name = layer.name if len(layer.name) <= _LONGEST else layer.name[: _LONGEST - 1] + "…"
            wide = 16 + text_width(name, _SMALL) + 12
            if x > 12 and x + wide > self.right + 12:
                x, line = 12.0, line + 1
            y = self.bottom + 8 + _LINE * line
            colour = series_fill(_GREY if layer.rest else place, self.palette)
            parts.append(f'<rect x="{x:.1f}" y="{y - 9:.1f}" width="10" height="10" rx="2" {colour}/>')
            parts.append(self._words(name, x + 15, y))
            x += wide
        return parts, line + 1

    def _bar(self, n: int, top: float, foot: float) -> str:
        gap = min(self.per_day * 0.2, 3)
        x, end = self.left + self.per_day * n + gap / 2, self.left + self.per_day * (n + 1) - gap / 2
        return f"M{x:.1f} {foot:.2f}V{top:.2f}H{end:.1f}V{foot:.2f}Z"

    def _box(self, n: int, top: float, foot: float, colour: str, *, gap: float) -> str:
        x = self.left + self.per_day * n + gap / 2
        return f'<rect x="{x:.1f}" y="{top:.1f}" width="{self.per_day - gap:.1f}" height="{foot - top:.1f}" {colour}/>'

    def _words(self, words: str, x: float, y: float, *, anchor: str = "start") -> str:
        placed = "" if anchor == "start" else f' text-anchor="{anchor}"'
        return (
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{_SMALL:g}"{placed} {fill("faint", self.palette)}>'
            f"{safe(words)}</text>"
        )


def sparkline(values: Sequence[float], *, marked: int, width: int = 84, height: int = 22) -> str:
    """Small bars without words or paper, for a row of a table; readable on white and in the dark."""
    highest = max(values, default=0.0) or 1.0
    step = width / max(len(values), 1)
    paths = {"0.45": "", "1": ""}
    for n, value in enumerate(values):
        if value > 0:
            tall = max(value / highest * (height - 1), 1.0)
            bar = f"M{n * step:.2f} {height}V{height - tall:.2f}H{(n + 1) * step - 0.6:.2f}V{height}Z"
            paths["1" if n >= len(values) - marked else "0.45"] += bar
    drawn = "".join(f'<path d="{path}" fill="#4f8ad6" fill-opacity="{much}"/>' for much, path in paths.items() if path)
    base = f'<path d="M0 {height - 0.5}H{width}" stroke="#8a94a0" stroke-opacity="0.5"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{base}{drawn}</svg>'
    )
