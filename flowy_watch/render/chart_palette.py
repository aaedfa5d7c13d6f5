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

_RULES = "\n".join(
    f"  .f-{name} {{ fill: {colour} }} .s-{name} {{ stroke: {colour} }}" for name, colour in DARK._asdict().items()
)
CHART_STYLE = f"@media (prefers-color-scheme: dark) {{\n{_RULES}\n}}\n"
"""For a page that shows light charts: the same in the dark. Attributes give way to style sheets, so nothing more."""


def fill(name: str, palette: Palette) -> str:
    return f'class="f-{name}" fill="{getattr(palette, name)}"'


def stroke(name: str, palette: Palette) -> str:
    return f'class="s-{name}" fill="none" stroke="{getattr(palette, name)}"'
