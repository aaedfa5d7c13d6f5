"""The colours of charts, by light and in the dark."""

from typing import NamedTuple


class Palette(NamedTuple):
    paper: str
    ink: str
    faint: str
    grid: str
    band: str
    spent: str
    expected: str
    mark: str
    limit: str
    unknown: str


LIGHT = Palette(
    paper="#ffffff",
    ink="#1f2328",
    faint="#59636e",
    grid="#e4e8ec",
    band="#cfe3f7",
    spent="#4a7fc1",
    expected="#16324f",
    mark="#c2290a",
    limit="#8a5a00",
    unknown="#e8eaed",
)
DARK = Palette(
    paper="#16191e",
    ink="#e6e9ee",
    faint="#9da7b3",
    grid="#2b3037",
    band="#24405e",
    spent="#5b9bea",
    expected="#f2f5f9",
    mark="#ff8163",
    limit="#e0b04a",
    unknown="#282d34",
)

SERIES = {
    LIGHT: ("#3a72bd", "#d9822b", "#3f9468", "#a6568f", "#c3a51d", "#4aa3b8", "#7d6bc9"),
    DARK: ("#5b9bea", "#f0a04b", "#5fbf8c", "#d183ba", "#dcc04a", "#6cc3d8", "#a593ee"),
}
"""Colours of several things in one picture, told apart also by who sees no red or green: they differ in lightness."""
REST = {LIGHT: "#a4adb8", DARK: "#6b7683"}

_RULES = "\n".join(
    f"  .f-{name} {{ fill: {colour} }} .s-{name} {{ stroke: {colour} }}" for name, colour in DARK._asdict().items()
)
_RULES += "\n" + "\n".join(f"  .f-series-{n} {{ fill: {colour} }}" for n, colour in enumerate(SERIES[DARK]))
_RULES += f"\n  .f-rest {{ fill: {REST[DARK]} }}"
CHART_STYLE = f"@media (prefers-color-scheme: dark) {{\n{_RULES}\n}}\n"
"""For a page that shows light charts: the same in the dark. Attributes give way to style sheets, so nothing more."""


def fill(name: str, palette: Palette) -> str:
    return f'class="f-{name}" fill="{getattr(palette, name)}"'


def stroke(name: str, palette: Palette) -> str:
    return f'class="s-{name}" fill="none" stroke="{getattr(palette, name)}"'


def series_fill(place: int, palette: Palette) -> str:
    """The colour of the thing at this place; of all that have no place of their own, one grey."""
    colours = SERIES[palette]
    if place < len(colours):
        return f'class="f-series-{place}" fill="{colours[place]}"'
    return f'class="f-rest" fill="{REST[palette]}"'
