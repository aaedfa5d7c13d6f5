"""A few days as a tiny line, as the points of an SVG polyline."""

from collections.abc import Sequence

WIDTH, HEIGHT = 112, 24


def sparkline(values: Sequence[int | None]) -> str:
    """`x,y x,y …` within 112 × 24; days nobody saw are at the floor. Empty when there is nothing to draw."""
    known = [value for value in values if value is not None]
    if len(known) < 2 or not max(known):
        return ""
    step, top = WIDTH / (len(values) - 1), max(known)
    return " ".join(
        f"{n * step:.0f},{HEIGHT - 2 - (value or 0) / top * (HEIGHT - 4):.0f}" for n, value in enumerate(values)
    )
