"""Finished weeks and months: which there are, who got them, and each as it is mailed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, Response

from flowy_watch.core.digest import DayFigures, Digest
from flowy_watch.core.edition import Edition, Issue
from flowy_watch.core.message import Dialect, EmailMessage
from flowy_watch.core.period import Period, Span, last_finished
from flowy_watch.core.usage import Microcredits, day_of
from flowy_watch.errors import NotFound
from flowy_watch.jobs import digest as jobs
from flowy_watch.render.digest_mail import page_of
from flowy_watch.render.digest_table import table_of
from flowy_watch.store import Work
from flowy_watch.store.digests import Made, Planned
from flowy_watch.web.visit import Visit

if TYPE_CHECKING:
    from flowy_watch.web.site import Site

_LISTED = {Span.WEEK: 13, Span.MONTH: 6}  # older ones are a link away from the last of these
_MOST_WAITING = 20
# A mail carries its own styles, which no page of ours may: it is shown in a frame that can do nothing else.
_FRAMED = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox allow-popups",
    "x-frame-options": "SAMEORIGIN",
}
_BECAME = {
    Made.SENT.value: "sent",
    Made.EMPTY.value: "nothing to say",
    Made.SKIPPED.value: "not sent: of a time long past, or before the watch began",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One finished period in the list."""

    period: Period
    spent: Microcredits
    before: Microcredits | None
    days: int
    """So many of its days were seen to their end."""
    readers: int
    """So many have been sent it."""

    @property
    def at_least(self) -> bool:
        return self.days < self.period.length

    @property
    def change(self) -> float | None:
        return (self.spent - self.before) / self.before if self.before else None


def listed(site: "Site", visit: Visit) -> Response:
    found, outcomes = finished(site, visit)
    waiting = sorted((planned for planned, outcome in outcomes if not outcome), key=lambda planned: planned.due_at)
    return site.page(
        "digests.html.j2",
        visit,
        spans=[(span.value, lines) for span, lines in found.items()],
        waiting=waiting[:_MOST_WAITING],
        configured=any(channels for _, channels, _ in site.settings.digest.audiences),
    )


def finished(site: "Site", visit: Visit) -> tuple[dict[Span, list[Line]], list[tuple[Planned, str]]]:
    """The finished weeks and months that are listed, and what became of each digest that was planned."""
    with site.store.read() as work:
        began = work.digests.figures.began()
        periods = {span: _finished(span, began, visit.now) for span in Span}
        since = min((period.before().first for found in periods.values() for period in found), default=None)
        days = work.digests.figures.by_day(since, day_of(visit.now)) if since else []
        outcomes = list(work.digests.outcomes())
    known = {day.day: day for day in days}
    sent = [planned.period.name for planned, outcome in outcomes if outcome == Made.SENT]
    return {span: [_line(period, known, sent) for period in found] for span, found in periods.items()}, outcomes


def _finished(span: Span, began: datetime | None, now: datetime) -> list[Period]:
    """The latest first, as far back as anything is known."""
    found: list[Period] = []
    period = last_finished(span, now)
    while began is not None and period.end_at > began and len(found) < _LISTED[span]:
        found.append(period)
        period = period.before()
    return found


def _line(period: Period, days: Mapping[date, DayFigures], sent: Sequence[str]) -> Line:
    known, before = [[days[day] for day in one.days()] for one in (period, period.before())]
    earlier = None if any(day.unseen for day in before) else sum(day.spent for day in before)
    seen = sum(not (day.open_keys or day.missing) for day in known)
    return Line(period, sum(day.spent for day in known), earlier, seen, sent.count(period.name))


def show(site: "Site", visit: Visit) -> Response:
    period, owner = asked_for(visit)
    with site.store.read() as work:
        became = [(planned, _BECAME.get(outcome, "")) for planned, outcome in work.digests.outcomes()]
        mail = _mail(site, visit, work, period, owner)
    query = f"?{urlencode({'owner': owner})}" if owner else ""
    return site.page(
        "digest.html.j2",
        visit,
        period=period,
        owner=owner,
        owners=sorted({edition for edition, _, _ in site.settings.digest.audiences if edition}),
        subject=mail[0],
        query=query,
        later=period.after().name if period.after().end_at <= visit.now else "",
        earlier=period.before().name,
        made=[(planned, word) for planned, word in became if planned.period == period and word],
    )


def mailed(site: "Site", visit: Visit) -> Response:
    """The mail's own HTML with its pictures inside, for the frame of the page, or alone."""
    period, owner = asked_for(visit)
    with site.store.read() as work:
        _, shown = _mail(site, visit, work, period, owner)
    return HTMLResponse(shown, headers=_FRAMED)


def table(site: "Site", visit: Visit) -> Response:
    """What is attached to the mail: every key and day."""
    period, owner = asked_for(visit)
    with site.store.read() as work:
        file = table_of(made(site, visit, work, period, owner))
    headers = {"content-disposition": f'attachment; filename="{file.name}"'}
    return Response(file.content, media_type=file.media_type, headers=headers)


def _mail(site: "Site", visit: Visit, work: Work, period: Period, owner: str) -> tuple[str, str]:
    """Its subject, and the HTML. Made once for page and frame: they are asked for one after the other."""
    seen = ("digest", period.name, owner, work.views.version().poll)

    def make() -> str:
        mail = as_mailed(site, period, owner, made(site, visit, work, period, owner))
        return f"{mail.subject}\n{page_of(mail)}"

    subject, _, shown = site.remembered(seen, make).partition("\n")
    return subject, shown


def made(site: "Site", visit: Visit, work: Work, period: Period, owner: str) -> Digest:
    return jobs.asked_for(work, period, owner, owner_of=site.settings.owner_of, now=visit.now)


def as_mailed(site: "Site", period: Period, owner: str, digest: Digest) -> EmailMessage:
    mail = site.renderer.render_digest(Issue(Edition("", owner=owner, span=period.span), digest), Dialect.EMAIL)
    assert isinstance(mail, EmailMessage)
    return mail


def asked_for(visit: Visit) -> tuple[Period, str]:
    """Raises NotFound for what no calendar has, or is not over."""
    try:
        period = Period.parse(visit.places["period"])
    except (ValueError, OverflowError):
        raise NotFound("there is no such week or month") from None
    if period.end_at > visit.now:
        raise NotFound(f"{period.name} is not over; a digest is of a finished week or month")
    return period, visit.query.get("owner", "")
