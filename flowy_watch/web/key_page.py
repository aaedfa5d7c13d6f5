"""One key: what it spent beside what is usual, its use, its safeguards, its alerts, and how to stop it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from math import isfinite, isnan, nan, sqrt
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from starlette.responses import Response

from flowy_watch.app import open_ledger
from flowy_watch.core.alert import Alert
from flowy_watch.core.baseline import SLOTS, WEEK, Baseline, hour_number
from flowy_watch.core.provenance import Figure, Provenance
from flowy_watch.core.usage import ALL_KEYS, CREDIT, DAY, day_of, day_start
from flowy_watch.core.words import credit_words
from flowy_watch.errors import NotFound, StoreError
from flowy_watch.ledger import Block, Price, PriceSource
from flowy_watch.render.chart import Chart, series_chart
from flowy_watch.render.phrase import shorten, visible
from flowy_watch.web.api import json
from flowy_watch.web.pages import DONE
from flowy_watch.web.visit import Visit

if TYPE_CHECKING:
    from flowy_watch.web.site import Site

_DAYS = 90
_ODD = 2.0  # times the highest of past weeks
_LEVELS = 5
_WIDE, _NARROW = 760, 345
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Hours:
    """The last seven days by the hour, in credits; NaN where nobody watched."""

    first: int
    spent: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True, slots=True)
class Cell:
    """An hour of the week: what is usual, on a scale from 0 to 5, and whether the last week's was far above it."""

    level: int
    words: str
    odd: bool


@dataclass(frozen=True, slots=True)
class Metered:
    """What the meter knows of a key."""

    block: Block | None
    prices: Sequence[Price]
    """Learned ones of the apps that it runs: its spend is as sure as they are."""


def show(site: "Site", visit: Visit) -> Response:
    row, hours, baseline, daily, snapshots, alerts = _facts(site, visit)
    today = day_of(visit.now)
    with site.store.read() as work:
        provenance = work.knowledge.provenance(row.key_id)
        answers = work.knowledge.answers_of(row.key_no, today - 13 * DAY)
    last = daily[-1] if daily else None
    cap = row.cap
    return site.page(
        "key.html.j2",
        visit,
        key=row,
        owner=site.settings.owner_of(row.key_id, row.name),
        rules=site.settings.rules_of(row.key_id, row.name),
        spent=row.spent if row.day == today else None,
        seen_today=row.day == today,
        share=row.spent / cap if cap and row.day == today and row.spent is not None else None,
        alerts=alerts[:20],
        unresolved=[alert for alert in alerts if alert.status != "resolved"],
        hours=_pictures(_hours_chart(row, hours, alerts)) if hours else None,
        days=_pictures(_days_chart(row, daily, today)) if _any_known(daily) else None,
        together=row.key_id == ALL_KEYS,
        heat=_heat(baseline, hours) if baseline and hours else None,
        weekdays=WEEKDAYS,
        uses=_uses(snapshots, daily),
        changes=_changes(daily, alerts),
        daily=daily[::-1][:14],
        last=last,
        api_keys_url=site.settings.workspace.api_keys_url,
        label=shorten(visible(row.name or row.key_id)),
        reset=day_start(today + DAY),
        provenance=provenance,
        cap_known=cap is not None or provenance is None or Figure.CAP in provenance.figures,
        metered=_metered(site, provenance),
        refusals=[one for one in answers if one.refused or one.capped or one.throttled],
        done=DONE.get(visit.query.get("done", ""), ""),
    )


def _metered(site: "Site", provenance: Provenance | None) -> Metered | None:
    """None where the meter does not see the key."""
    if provenance is None or not provenance.fingerprint or not site.settings.ledger.exists():
        return None
    ledger = open_ledger(site.settings)
    try:
        mark = provenance.fingerprint
        prices = [one for one in ledger.prices_for(mark) if one.source is PriceSource.LEARNED]
        return Metered(next((one for one in ledger.blocks() if one.fingerprint == mark), None), prices)
    except StoreError:
        return None
    finally:
        ledger.close()


def series(site: "Site", visit: Visit) -> Response:
    """The hours as numbers, for the chart that can be zoomed."""
    _, hours, *_ = _facts(site, visit)
    if hours is None:
        return json({"at": [], "spent": [], "low": [], "high": []})
    at = [(hours.first + n) * 3600 for n in range(len(hours.spent))]
    numbers = {"spent": hours.spent, "low": hours.low, "high": hours.high}
    return json(
        {"at": at} | {name: [round(v, 4) if isfinite(v) else None for v in row] for name, row in numbers.items()}
    )


def _facts(site: "Site", visit: Visit) -> tuple[Any, Hours | None, Baseline | None, list[Any], list[Any], list[Alert]]:
    today = day_of(visit.now)
    with site.store.read() as work:
        row = work.views.key(visit.places["key"])
        if row is None:
            raise NotFound("there is no such key")
        baseline = work.views.baseline(row.key_no)
        daily = work.views.days(row.key_no, [today - n * DAY for n in range(_DAYS)])
        snapshots = work.views.snapshots(row.key_no, visit.now - 2 * DAY)
        alerts = work.views.alerts(before=None, most=50, key_id=row.key_id)
    return row, _hours(baseline, snapshots, visit.now), baseline, daily, snapshots, alerts


def _hours(baseline: Baseline | None, snapshots: Sequence[Any], now: datetime) -> Hours | None:
    """From the baseline, and from the polls since it was saved."""
    last = hour_number(now)
    first = last - WEEK + 1
    recent = _by_hour(snapshots)
    if baseline is None and not recent:
        return None
    spent, low, high = [], [], []
    for hour in range(first, last + 1):
        usual = baseline.usual(hour, 1) if baseline else None
        known = usual is not None and usual.times >= 2
        spent.append(_kept(baseline, hour) if baseline and hour <= baseline.last_hour else recent.get(hour, nan))
        low.append(usual.low if usual and known else nan)
        high.append(usual.high if usual and known else nan)
    return Hours(first, spent, low, high) if any(isfinite(value) for value in spent) else None


def _kept(baseline: Baseline, hour: int) -> float:
    known = max(baseline.since_hour, baseline.last_hour - SLOTS + 1) <= hour <= baseline.last_hour
    return float(baseline.hours[hour % SLOTS]) if known else nan


def _by_hour(snapshots: Sequence[Any]) -> dict[int, float]:
    """Spend between polls, given to the hour of the later one."""
    found: dict[int, float] = {}
    for before, after in pairwise(row for row in snapshots if row.spent is not None):
        same_day = day_of(before.taken_at) == day_of(after.taken_at)
        spent = max(0, after.spent - before.spent) if same_day else after.spent
        hour = hour_number(after.taken_at)
        found[hour] = found.get(hour, 0.0) + spent / CREDIT
    return found


def _hours_chart(row: Any, hours: Hours, alerts: Iterable[Alert]) -> Chart:
    start = datetime.fromtimestamp(hours.first * 3600, UTC)
    opened = next(
        (alert.opened_at for alert in alerts if alert.opened_at >= start and alert.finding.kind != "safeguard"), None
    )
    band = any(isfinite(value) for value in hours.high)
    return Chart(
        title=f"{shorten(visible(row.name or row.key_id))}: credits per hour, last seven days",
        unit="credits per hour",
        start_at=start,
        values=hours.spent,
        low=hours.low if band else (),
        high=hours.high if band else (),
        mark_at=opened,
    )


def _any_known(daily: Sequence[Any]) -> bool:
    return any(day.spent_microcredits is not None for day in daily)


def _days_chart(row: Any, daily: Sequence[Any], today: date) -> Chart:
    by_day = {day.day: day.spent_microcredits / CREDIT for day in daily if day.spent_microcredits is not None}
    first = max(daily[0].day, today - 34 * DAY)
    days = [first + n * DAY for n in range((today - first).days + 1)]
    return Chart(
        title=f"{shorten(visible(row.name or row.key_id))}: credits per day, last five weeks",
        unit="credits per day",
        start_at=day_start(first),
        values=[by_day.get(day, nan) for day in days],
        step=DAY,
        limit=None if row.cap is None else row.cap / CREDIT,
    )


def _pictures(chart: Chart) -> dict[str, Any]:
    """One for wide screens and one for narrow ones: shrunk letters could not be read."""
    return {
        "wide": Markup(series_chart(chart, width=_WIDE, height=240)),  # noqa: S704  # the chart escapes what it shows
        "narrow": Markup(series_chart(chart, width=_NARROW, height=210)),  # noqa: S704
        "title": chart.title,
    }


def _heat(baseline: Baseline, hours: Hours) -> list[list[Cell]]:
    """By weekday and hour of day, UTC."""
    sums: dict[int, list[float]] = {}
    oldest = max(baseline.since_hour, baseline.last_hour - SLOTS + 1)
    for hour in range(oldest, baseline.last_hour + 1):
        value = baseline.hours[hour % SLOTS]
        if not isnan(value):
            sums.setdefault((hour + 72) % WEEK, []).append(value)  # 1970-01-01 was a Thursday
    means = {slot: sorted(values)[len(values) // 2] for slot, values in sums.items()}
    highest = max(means.values(), default=0.0)
    odd = {
        (hours.first + n + 72) % WEEK
        for n, (spent, high) in enumerate(zip(hours.spent, hours.high, strict=True))
        if isfinite(spent) and isfinite(high) and spent > _ODD * high + 0.05 * highest
    }
    return [
        [_cell(means.get(24 * day + hour), highest, 24 * day + hour in odd) for hour in range(24)] for day in range(7)
    ]


def _cell(mean: float | None, highest: float, odd: bool) -> Cell:
    if mean is None:
        return Cell(0, "not known", odd)
    level = round(_LEVELS * sqrt(mean / highest)) if highest else 0
    return Cell(level, f"{credit_words(int(mean * CREDIT))} credits", odd)


def _uses(snapshots: Sequence[Any], daily: Sequence[Any]) -> list[datetime]:
    """When it was seen to be used, newest first: every poll of two days, and the last use of each day before."""
    found = {row.last_used_at for row in (*snapshots, *daily) if row.last_used_at}
    return sorted(found, reverse=True)[:20]


def _changes(daily: Sequence[Any], alerts: Iterable[Alert]) -> list[tuple[datetime, str]]:
    """Of its safeguards, newest first: caps and states by day, and what was told as it happened."""
    found = [(alert.opened_at, alert.finding.title) for alert in alerts if alert.finding.kind == "safeguard"]
    for before, after in pairwise(daily):
        if before.daily_cap_microcredits != after.daily_cap_microcredits:
            old, new = (_cap(day.daily_cap_microcredits) for day in (before, after))
            found.append((after.last_taken_at, f"daily cap {old} → {new}"))
        if before.status != after.status:
            found.append((after.last_taken_at, f"{before.status} → {after.status}"))
    return sorted(found, reverse=True)[:20]


def _cap(cap: int | None) -> str:
    return "none" if cap is None else credit_words(cap)
