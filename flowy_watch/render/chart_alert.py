"""The hours around the opening of an alert, as the chart that explains it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite

from flowy_watch.core.finding import Finding
from flowy_watch.core.usage import CREDIT
from flowy_watch.render.chart import Chart, Shape, series_chart
from flowy_watch.render.chart_palette import LIGHT, Palette
from flowy_watch.render.chart_png import png_of

_UNFIT = re.compile(r"[^A-Za-z0-9._]+")


@dataclass(frozen=True, slots=True)
class Scene:
    """One alert as it opened, and what was known of the hours before and after: figures in credits, NaN for unknown.

    All sequences have one figure per hour from `start_at`, or are empty.
    """

    number: int
    finding: Finding
    opened_at: datetime
    start_at: datetime
    spent: Sequence[float]
    """In each hour."""
    counter: Sequence[float] = ()
    """Spent in the UTC day, as it stood at the end of each hour."""
    balance: Sequence[float] = ()
    """Of the workspace, at the end of each hour."""
    expected: Sequence[float] = ()
    """The forecast for each hour, made before it began."""
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    """The least and the most that the same hour showed in the weeks before."""


def alert_chart(scene: Scene) -> Chart:
    """For an alert about the cap the day's counter beside it, for one about the workspace its balance, else spend."""
    finding, stakes = scene.finding, scene.finding.stakes
    cap = stakes.daily_cap / CREDIT if stakes and stakes.daily_cap is not None else None
    title, start, mark = finding.title, scene.start_at, scene.opened_at
    if finding.key_id is None:
        return Chart(title, "credits left", start, scene.balance, shape=Shape.LINE, what="balance", mark_at=mark)
    if finding.kind == "cap":
        values = scene.counter
        return Chart(title, "credits, by UTC day", start, values, what="spent so far", limit=cap, mark_at=mark)
    usual = any(isfinite(v) for v in scene.high)
    forecast = any(isfinite(v) for v in scene.expected)
    return Chart(
        title,
        "credits per hour",
        start,
        scene.spent,
        expected=scene.expected if forecast else (),
        low=scene.low if usual else (),
        high=scene.high if usual else (),
        limit=cap,
        mark_at=mark,
    )


def picture(scene: Scene, *, palette: Palette = LIGHT, scale: float = 2.0) -> bytes:
    """A PNG that stands for itself: the chart with its title above and the evidence beneath."""
    svg = series_chart(alert_chart(scene), palette=palette, heading=True, caption=scene.finding.evidence)
    return png_of(svg, scale)


def picture_name(scene: Scene) -> str:
    """`007-prod-render-spike.png`; a file's name whatever the key is called."""
    finding = scene.finding
    name = _UNFIT.sub("-", finding.key_name or finding.key_id or "workspace").strip("-.")[:60] or "key"
    return f"{scene.number:03d}-{name}-{finding.kind}.png"
