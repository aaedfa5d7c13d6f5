"""A backtest as one page that opens anywhere: tables, and a chart for each alert."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from markupsafe import Markup

from flowy_watch.render.chart import series_chart
from flowy_watch.render.chart_alert import Scene, alert_chart
from flowy_watch.render.chart_palette import CHART_STYLE
from flowy_watch.render.environment import build_environment
from flowy_watch.render.phrase import visible

MOST_CHARTS = 500  # some 5 MB


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    marked: int = -1
    """The row that is in use."""


@dataclass(frozen=True, slots=True)
class Card:
    number: int
    kind: str
    severity: str
    title: str
    at: datetime
    evidence: tuple[str, ...]
    chart: Markup


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    summary: str
    tables: Sequence[Table]
    cards: Sequence[Card]
    more: str = ""
    """What is not shown."""


def backtest_page(title: str, summary: str, tables: Sequence[Table], scenes: Sequence[Scene]) -> str:
    """The page's HTML. It loads nothing, runs nothing, and follows the reader's light or dark."""
    environment = build_environment()
    left = len(scenes) - MOST_CHARTS
    more = f"{left} more alerts are not shown; --png writes all charts." if left > 0 else ""
    page = Page(title, summary, tables, list(_cards(scenes[:MOST_CHARTS])), more)
    style = environment.get_template("chart/page.css").render() + CHART_STYLE
    digest = b64encode(sha256(style.encode()).digest()).decode()
    template = environment.get_template("chart/backtest.html.j2")
    return template.render(page=page, style=Markup(style), style_hash=digest)  # noqa: S704  # no word of it is from elsewhere


def _cards(scenes: Iterable[Scene]) -> Iterable[Card]:
    for scene in scenes:
        finding = scene.finding
        yield Card(
            scene.number,
            finding.kind,
            finding.severity.word,
            visible(finding.title),
            scene.opened_at,
            tuple(visible(words) for words in finding.evidence),
            Markup(series_chart(alert_chart(scene))),  # noqa: S704  # escaped where it is made
        )
