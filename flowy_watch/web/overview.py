"""The first page: how much is left, what is spent, what is wrong, and every key."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, Response

from flowy_watch.core.alert import Alert, Status
from flowy_watch.core.baseline import DAYS
from flowy_watch.core.provenance import Figure
from flowy_watch.core.usage import ALL_KEYS, CREDIT, DAY, Microcredits, day_of
from flowy_watch.store import Work
from flowy_watch.store.usage import GOOD
from flowy_watch.web.sparkline import sparkline
from flowy_watch.web.visit import Visit

if TYPE_CHECKING:
    from flowy_watch.web.site import Site

PER_PAGE = 100
Counts: TypeAlias = Mapping[str, Mapping[str, int]]
"""Of alerts not resolved: how many of each severity, by key id."""
_SPARK_DAYS = 28
_MOST_ALERTS = 12
SORTS = {"spent": "Spent today", "cap": "Share of cap", "name": "Name", "used": "Last used", "alerts": "Alerts"}
SHOWN = {
    "": "All keys",
    "active": "Active",
    "stopped": "Revoked or expired",
    "alerts": "With alerts",
    "cap": "Over 80 % of cap",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """How the list of keys is wanted."""

    q: str = ""
    show: str = ""
    sort: str = "spent"
    page: int = 1

    @classmethod
    def of(cls, visit: Visit) -> "Asked":
        query = visit.query
        page = query.get("page", "1")
        return cls(
            query.get("q", "")[:100],
            query.get("show", "") if query.get("show") in SHOWN else "",
            query["sort"] if query.get("sort") in SORTS else "spent",
            int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 6 and int(page) else 1,
        )

    def url(self, path: str = "/", **changed: object) -> str:
        fields = {"q": self.q, "show": self.show, "sort": self.sort, "page": self.page} | changed
        usual = {"q": "", "show": "", "sort": "spent", "page": 1}
        kept = {name: value for name, value in fields.items() if value != usual.get(name)}
        return f"{path}?{urlencode(kept)}" if kept else path


@dataclass(frozen=True, slots=True)
class KeyLine:
    key_id: str
    name: str
    last_four: str
    owner: str
    status: str
    spent: Microcredits | None
    """None when today has not seen the key, or only a source that does not know it."""
    seen: bool
    """Today."""
    cap: Microcredits | None
    last_used_at: datetime | None
    alerts: int
    worst: str
    key_no: int

    @property
    def share(self) -> float | None:
        """Of the cap, 0..1 and beyond."""
        return self.spent / self.cap if self.cap and self.spent is not None else None


@dataclass(frozen=True, slots=True)
class Usual:
    """What past days had spent by this time."""

    low: Microcredits
    high: Microcredits
    when: str


def show(site: "Site", visit: Visit) -> Response:
    asked = Asked.of(visit)
    return site.page("overview.html.j2", visit, asked=asked, sorts=SORTS, shown=SHOWN, live=_live(site, visit, asked))


def live(site: "Site", visit: Visit) -> Response:
    """The part that changes; nothing at all when nothing has."""
    with site.store.read() as work:
        version = _version(work, visit)
    if visit.query.get("seen") == version:
        return Response(status_code=204)
    return HTMLResponse(_live(site, visit, Asked.of(visit)))


def _version(work: Work, visit: Visit) -> str:
    """Changes with what is stored and, since ages are shown, with the minute."""
    stored = work.views.version()
    minute = int(visit.now.timestamp()) // 60
    return f"{stored.poll}-{stored.transition}-{stored.notice}-{stored.silence}-{stored.ended}-{minute}"


def _live(site: "Site", visit: Visit, asked: Asked) -> str:
    with site.store.read() as work:
        version = _version(work, visit)
        return site.remembered((version, asked), lambda: _render(site, visit, asked, work, version))


def _render(site: "Site", visit: Visit, asked: Asked, work: Work, version: str) -> str:
    now, today = visit.now, day_of(visit.now)
    polls, balance = work.usage.last_polls(1), work.views.last_balance()
    alerts = work.views.worst_alerts(_MOST_ALERTS)
    severities: Counter[str] = Counter()
    counts = work.views.alert_counts()
    for _, severity, _, count in counts:
        severities[severity] += count
    site.give_way()
    rows, by_key = work.views.lines(today), work.views.alerts_by_key()
    site.give_way()
    wanted = _chosen(rows, by_key, asked, site.settings.owner_of)
    pages = max(1, -(-len(wanted) // PER_PAGE))
    page = min(asked.page, pages)
    listed = [_line(site, row, by_key) for row in wanted[(page - 1) * PER_PAGE : page * PER_PAGE]]
    days = [today - n * DAY for n in range(_SPARK_DAYS)][::-1]
    site.give_way()
    spends = work.views.spends([line.key_no for line in listed], days)
    totals = work.views.totals(today - 7 * DAY)
    known = [row.spent for row in rows if row.spent is not None]
    unknown = sum(1 for row in rows if row.seen and row.spent is None)
    if unknown and any(row.key_id == ALL_KEYS and row.spent is not None for row in rows):
        unknown = 0  # it stands for them
    burn = _burn(totals, today)
    runway = timedelta(days=balance.balance_microcredits / burn) if balance and burn else None
    return site.render(
        "_live.html.j2",
        visit,
        asked=asked,
        seen=version,
        poll=polls[0] if polls else None,
        good_at=work.views.last_good_poll_at(),
        blind=_blind(site, work, polls, now),
        balance=balance,
        runway=runway,
        runs_out=any(kind == "balance" for kind, *_ in counts),
        burn=burn,
        spent=sum(known),
        unknown=unknown,
        all_unknown=bool(unknown) and not known,
        usual=_usual(work, now),
        alerts=alerts,
        more_alerts=severities.total() - len(alerts),
        severities=severities,
        keys=listed,
        fractions=any(line.spent and line.spent % CREDIT for line in listed),
        uncapped=_uncapped(work, listed),
        sparks={number: sparkline([by_day.get(day) for day in days]) for number, by_day in spends.items()},
        known=len(rows),
        found=len(wanted),
        active=sum((row.status or "active") == "active" for row in rows),
        page=page,
        pages=pages,
        first=(page - 1) * PER_PAGE + 1,
    )


def worst_first(alerts: Sequence[Alert]) -> list[Alert]:
    """Open before acknowledged, then by severity, then the newest."""
    return sorted(alerts, key=lambda a: (a.status != "open", -a.finding.severity, -a.id))


def _line(site: "Site", row: Any, alerts: Counts) -> KeyLine:
    found = alerts.get(row.key_id, {})
    return KeyLine(
        row.key_id,
        row.name,
        row.last_four,
        site.settings.owner_of(row.key_id, row.name),
        row.status or "active",
        row.spent,
        bool(row.seen),
        row.cap,
        row.last_used_at,
        sum(found.values()),
        next((word for word in _WORST if word in found), ""),
        row.key_no,
    )


def _uncapped(work: Work, lines: Sequence[KeyLine]) -> frozenset[str]:
    """Keys that are known to have no cap."""
    told = {line.key_id: work.knowledge.provenance(line.key_id) for line in lines if line.cap is None}
    return frozenset(key_id for key_id, found in told.items() if found is None or Figure.CAP in found.figures)


_WORST = ("critical", "warning", "info")
_NEVER = datetime.min.replace(tzinfo=UTC)


def _chosen(rows: Sequence[Any], alerts: Counts, asked: Asked, owner_of: Callable[[str, str], str]) -> list[Any]:
    """The rows that are wanted, as they are wanted. There may be thousands, of which a page shows a hundred."""
    if words := asked.q.casefold().split():
        rows = [row for row in rows if _matches(row, owner_of(row.key_id, row.name), words)]
    if wanted := _WANTED.get(asked.show):
        rows = [row for row in rows if wanted(row, alerts)]
    found = sorted(rows, key=lambda row: (row.name.casefold(), row.key_id))
    if asked.sort == "spent":
        found.sort(key=lambda row: -1 if row.spent is None else row.spent, reverse=True)
    elif asked.sort == "cap":
        found.sort(key=_share, reverse=True)
    elif asked.sort == "used":
        found.sort(key=lambda row: row.last_used_at or _NEVER, reverse=True)
    elif asked.sort == "alerts":
        found.sort(key=lambda row: _worse(alerts.get(row.key_id, {})), reverse=True)
    return found


def _matches(row: Any, owner: str, words: Sequence[str]) -> bool:
    text = f"{row.name} {row.key_id} {owner} {row.last_four}".casefold()
    return all(word in text for word in words)


def _share(row: Any) -> float:
    """Of its cap; below all others where that is not known."""
    return row.spent / row.cap if row.cap and row.spent is not None else -1.0


def _worse(found: Mapping[str, int]) -> tuple[bool, bool, int]:
    return "critical" in found, "critical" not in found and "warning" in found, sum(found.values())


_WANTED: dict[str, Callable[[Any, Counts], bool]] = {
    "active": lambda row, _: (row.status or "active") == "active",
    "stopped": lambda row, _: (row.status or "active") != "active",
    "alerts": lambda row, alerts: row.key_id in alerts,
    "cap": lambda row, _: _share(row) >= 0.8,
}


def _burn(totals: dict[date, Microcredits], today: date) -> Microcredits | None:
    """Mean spend of the last seven whole days; None when none is known."""
    past = [total for day, total in totals.items() if day < today]
    return sum(past) // len(past) if past else None


def _usual(work: Work, now: datetime) -> Usual | None:
    weeks = [now - timedelta(weeks=n) for n in range(1, 5)]
    found = [spent for at in weeks if (spent := work.views.spent_by(at)) is not None]
    when = f"on {DAYS[now.weekday()]}"
    if len(found) < 2:
        found = [spent for n in range(1, 8) if (spent := work.views.spent_by(now - n * DAY)) is not None]
        when = "in the last days"
    return Usual(min(found), max(found), when) if len(found) >= 2 else None


def _blind(site: "Site", work: Work, polls: Sequence[Any], now: datetime) -> str:
    """Why the figures must not be relied on; empty when they can be."""
    unresolved = (Status.OPEN, Status.ACKNOWLEDGED)
    for alert in work.views.alerts(before=None, most=1, status=unresolved, kind="blind"):
        return alert.finding.title
    if not polls:
        return ""
    if now - polls[0].taken_at > 3 * site.settings.poll.every:
        return "No poll has come in for longer than three intervals: is the watch running?"
    return "" if polls[0].outcome == GOOD else f"The last poll was {polls[0].outcome}: {polls[0].reason}"
