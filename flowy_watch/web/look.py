"""How facts become words on a page: the templates' environment and its filters."""

from datetime import UTC, datetime
from math import floor
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment
from markupsafe import Markup

from flowy_watch.core.usage import CREDIT, Microcredits
from flowy_watch.core.words import credit_words
from flowy_watch.render.digest_figures import percent
from flowy_watch.render.environment import build_environment
from flowy_watch.render.phrase import shorten, unbroken, visible, who

STATIC = Path(__file__).parent / "static"


def build_templates(zone: ZoneInfo) -> Environment:
    environment = build_environment()
    environment.filters["when"] = lambda at: when(at, zone)
    environment.filters["words"] = lambda text, most: unbroken(shorten(visible(text or ""), most))
    environment.filters["unbroken"] = unbroken
    environment.filters["percent"] = percent
    environment.filters["per_cent"] = lambda share: f"{whole_per_cent(share):,}"
    environment.filters["whole"] = whole_credits
    environment.filters["in_column"] = in_column
    environment.filters["who"] = who
    environment.filters["name"] = lambda text: shorten(visible(text or ""))
    return environment


def whole_credits(amount: Microcredits) -> str:
    """`6,481`, `12.5`: from a thousand credits on a page's great figures do without the part after the point."""
    return credit_words(amount if abs(amount) < 1000 * CREDIT else round(amount / CREDIT) * CREDIT)


def in_column(amount: Microcredits, fractions: bool) -> str:
    """Spaces as wide as a point and as a figure stand where others in the column have them, so that all align."""
    words = credit_words(amount)
    _, point, part = words.partition(".")
    return words + (("" if point else "\u2008") + "\u2007" * (2 - len(part)) if fractions else "")


def whole_per_cent(share: float) -> int:
    """Rounded down, as alerts are: 100 is told of what is spent to the last credit."""
    return floor(share * 100 + 1e-9)


def when(at: datetime | None, zone: ZoneInfo) -> Markup:
    """`25 Nov 15:05 CET` as a `<time>` that says UTC too; a dash for never."""
    if at is None:
        return Markup("–")
    local = at.astimezone(zone)
    name = local.tzname() or ""
    name = f"UTC{name}" if name[:1] in "+-" else name
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        f"{local.day} {local:%b %H:%M} {name}",
    )
