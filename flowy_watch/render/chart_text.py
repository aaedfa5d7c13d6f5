"""Words inside of a chart: harmless, and how much room they take."""

import unicodedata
from html import escape

from flowy_watch.render.phrase import visible

_NARROW, _WIDE = "ijltfrI.,:;'|!()[]·- ", "mwMW%@—"


def text_width(text: str, size: float) -> float:
    """About how wide a text is in units of the chart; fonts differ, so a little more than most need."""
    return size * sum(_advance(c) for c in text)


def _advance(c: str) -> float:
    if c in _NARROW:
        return 0.31
    if c in _WIDE or unicodedata.east_asian_width(c) in "WF":
        return 1.0
    return 0.66 if c.isupper() else 0.56


def safe(text: str) -> str:
    """Words from elsewhere as they may stand in SVG: visible characters only, escaped."""
    return escape(visible(text))


def lines_of(text: str, size: float, width: float, *, most: int) -> list[str]:
    """`text` in at most `most` lines that fit; what does not is cut, and the cut is shown."""
    lines: list[str] = []
    rest = visible(text)
    while rest and len(lines) < most:
        line, rest = _cut(rest, size, width)
        lines.append(line)
    if rest:
        while lines[-1] and text_width(lines[-1] + "…", size) > width:
            lines[-1] = lines[-1][:-1]
        lines[-1] = lines[-1].rstrip() + "…"
    return lines


def _cut(text: str, size: float, width: float) -> tuple[str, str]:
    used, space = 0.0, 0
    for place, c in enumerate(text):
        used += size * _advance(c)
        if used > width and place:
            end = space or place
            return text[:end].rstrip(), text[end:].lstrip()
        if c == " " and used > width / 2:
            space = place
    return text, ""
