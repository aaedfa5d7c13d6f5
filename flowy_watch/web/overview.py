"""The first page: how much is left, what is spent, what is wrong, and every key."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, Response

from flowy_watch.core.alert import Alert, Status
from flowy_watch.core.baseline import DAYS
from flowy_watch.core.provenance import Figure
from flowy_watch.core.usage import ALL_KEYS, DAY, Microcredits, day_of
from flowy_watch.store import Work
from flowy_watch.store.usage import GOOD
from flowy_watch.web.sparkline import sparkline
from flowy_watch.web.visit import Visit

if TYPE_CHECKING:
    from flowy_watch.web.site import Site

PER_PAGE = 100
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
    for _, severity, _, count in work.views.alert_counts():
        severities[severity] += count
    lines = _lines(site, work, today)
    wanted = _chosen(lines, asked)
    pages = max(1, -(-len(wanted) // PER_PAGE))
    page = min(asked.page, pages)
    listed = wanted[(page - 1) * PER_PAGE : page * PER_PAGE]
    days = [today - n * DAY for n in range(_SPARK_DAYS)][::-1]
    spends = work.views.spends([line.key_no for line in listed], days)
    totals = work.views.totals(today - 7 * DAY)
    spent = sum(line.spent or 0 for line in lines)
    unknown = sum(line.seen and line.spent is None for line in lines)
    if any(line.key_id == ALL_KEYS and line.spent is not None for line in lines):
        unknown = 0  # it stands for them
    burn = _burn(totals, today)
    return site.render(
        "_live.html.j2",
        visit,
        asked=asked,
        seen=version,
        poll=polls[0] if polls else None,
        good_at=work.views.last_good_poll_at(),
        blind=_blind(site, work, polls, now),
        balance=balance,
        runway=timedelta(days=balance.balance_microcredits / burn) if balance and burn else None,
        burn=burn,
        spent=spent,
        unknown=unknown,
        all_unknown=bool(unknown) and not any(line.spent is not None for line in lines),
        usual=_usual(work, now),
        alerts=alerts,
        more_alerts=severities.total() - len(alerts),
        severities=severities,
        keys=listed,
        uncapped=_uncapped(work, listed),
        sparks={number: sparkline([by_day.get(day) for day in days]) for number, by_day in spends.items()},
        known=len(lines),
        found=len(wanted),
        active=sum(line.status == "active" for line in lines),
        page=page,
        pages=pages,
        first=(page - 1) * PER_PAGE + 1,
    )


def worst_first(alerts: Sequence[Alert]) -> list[Alert]:
    """Open before acknowledged, then by severity, then the newest."""
    return sorted(alerts, key=lambda a: (a.status != "open", -a.finding.severity, -a.id))


def _lines(site: "Site", work: Work, today: date) -> list[KeyLine]:
    alerts = work.views.alerts_by_key()
    return [
        KeyLine(
            row.key_id,
            row.name,
            row.last_four,
            site.settings.owner_of(row.key_id, row.name),
            row.status or "active",
            row.spent if row.day == today else None,
            row.day == today,
            row.cap,
            row.last_used_at,
            sum(alerts.get(row.key_id, {}).values()),
            next((word for word in _WORST if word in alerts.get(row.key_id, {})), ""),
            row.key_no,
        )
        for row in work.views.keys(today)
    ]


def _uncapped(work: Work, lines: Sequence[KeyLine]) -> frozenset[str]:
    """Keys that are known to have no cap."""
    told = {line.key_id: work.knowledge.provenance(line.key_id) for line in lines if line.cap is None}
    return frozenset(key_id for key_id, found in told.items() if found is None or Figure.CAP in found.figures)


_WORST = ("critical", "warning", "info")
_NEVER = datetime.min.replace(tzinfo=UTC)


def _chosen(lines: Sequence[KeyLine], asked: Asked) -> list[KeyLine]:
    words = asked.q.casefold().split()
    found = [
        line
        for line in lines
        if all(word in f"{line.name} {line.key_id} {line.owner} {line.last_four}".casefold() for word in words)
        and _shown(line, asked.show)
    ]
    found.sort(key=lambda line: (line.name.casefold(), line.key_id))
    if asked.sort == "spent":
        found.sort(key=lambda line: -1 if line.spent is None else line.spent, reverse=True)
    elif asked.sort == "cap":
        found.sort(key=lambda line: -1 if line.share is None else line.share, reverse=True)
    elif asked.sort == "used":
        found.sort(key=lambda line: line.last_used_at or _NEVER, reverse=True)
    elif asked.sort == "alerts":
        found.sort(key=lambda line: (line.worst == "critical", line.worst == "warning", line.alerts), reverse=True)
    return found


def _shown(line: KeyLine, show: str) -> bool:
    return {
        "active": line.status == "active",
        "stopped": line.status != "active",
        "alerts": bool(line.alerts),
        "cap": (line.share or 0) >= 0.8,
    }.get(show, True)


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
