"""Alerts, silences and deliveries: lists, one alert's story, and the forms that act."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.responses import RedirectResponse, Response

from flowy_watch.core.alert import LIVES, Change, Status
from flowy_watch.core.notification import Notification
from flowy_watch.errors import NotFound
from flowy_watch.render.notice import LONGEST_LINE
from flowy_watch.render.notice import Role as PartRole
from flowy_watch.render.phrase import plain, shorten, visible
from flowy_watch.show import story_lines
from flowy_watch.store.outbox import DEAD, SENT, WAITING, WITHHELD
from flowy_watch.web import acting
from flowy_watch.web.overview import worst_first
from flowy_watch.web.sign_in import own_path
from flowy_watch.web.visit import Visit
from flowy_watch.web.wanted import Wanted, number

if TYPE_CHECKING:
    from flowy_watch.web.site import Site

_PER_PAGE = 50
DONE = {
    "ack": "Acknowledged: no more notices unless it gets worse.",
    "stop": "Noted: the next two good polls check that the key is quiet.",
    "resolve": "Resolved.",
    "silence": "Silenced.",
    "unsilence": "The silence has ended; what is still open is told with the next poll.",
    "expect": "Marked as expected.",
    "block": "Blocked at the meter from its next request on. What goes past the meter goes on: revoke it too.",
    "unblock": "The meter lets the key through again.",
}


def alerts(site: "Site", visit: Visit) -> Response:
    every = visit.query.get("show") == "all"
    with site.store.read() as work:
        found = (
            work.views.alerts(before=_before(visit), most=_PER_PAGE + 1)
            if every
            else worst_first(work.alerts.unresolved())
        )
    listed = found[:_PER_PAGE] if every else found[:500]
    more = listed[-1].id if every and len(found) > _PER_PAGE else None
    return site.page("alerts.html.j2", visit, alerts=listed, every=every, more=more, whole=len(found))


def alert(site: "Site", visit: Visit) -> Response:
    with site.store.read() as work:
        found = work.alerts.get(number(visit.places["alert"]))
        if found is None:
            raise NotFound("there is no such alert")
        story = story_lines(work, found)
        others = [a for a in work.alerts.unresolved() if a.id != found.id and a.finding.key_id == found.finding.key_id]
    owner = site.settings.owner_of(found.finding.key_id or "", found.finding.key_name)
    # As it was when it opened: the words of an alert that has ended would leave out what to do.
    told = replace(found, status=Status.OPEN, acknowledged_by="", acknowledged_until=None)
    notice = site.renderer.notice(Notification("", Change.OPENED, told, visit.now, owner))
    said = {plain(line) for part in notice.parts for line in (*part.lines, *part.bullets)}
    more_evidence = [words for words in found.finding.evidence if shorten(visible(words), LONGEST_LINE) not in said]
    return site.page(
        "alert.html.j2",
        visit,
        alert=found,
        notice=notice,
        more_evidence=more_evidence,
        parts=[part.without_gaps() for part in notice.parts],
        Role=PartRole,
        story=folded(story),
        others=others if found.finding.key_id else [],
        done=DONE.get(visit.query.get("done", ""), ""),
    )


def folded(story: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What was said several times on end, such as that a message was brought up to date, becomes one line."""
    lines: list[dict[str, Any]] = []
    for line in story:
        if lines and (lines[-1]["what"], lines[-1]["line"]) == (line["what"], line["line"]):
            lines[-1] |= {"times": lines[-1]["times"] + 1, "last_at": line["at"]}
        else:
            lines.append({**line, "times": 1, "last_at": line["at"]})
    return lines


def silences(site: "Site", visit: Visit) -> Response:
    with site.store.read() as work:
        found = work.views.silences(before=None, most=200)
        active = work.alerts.silences(visit.now)
    ids = {one.id for one in active}
    return site.page(
        "silences.html.j2",
        visit,
        active=active,
        ended=[one for one in found if one.id not in ids][:50],
        kinds=list(LIVES),
        pattern=visit.query.get("pattern", ""),
        done=DONE.get(visit.query.get("done", ""), ""),
    )


def deliveries(site: "Site", visit: Visit) -> Response:
    statuses = (WAITING, DEAD, SENT, WITHHELD)
    wanted = visit.query.get("show", "")
    status = wanted if wanted in statuses else ""
    with site.store.read() as work:
        rows = work.views.deliveries(before=_before(visit), most=_PER_PAGE + 1, status=status)
        counts, oldest = work.outbox.counts(), work.views.oldest_waiting()
        names = sorted({*site.settings.channels, *(channel for channel, _ in counts if channel)})
        worked = {name: work.outbox.last_worked_at(name) for name in names}
    channels = [
        {
            "name": name,
            "kind": site.settings.channels[name].kind if name in site.settings.channels else "no longer configured",
            "oldest": oldest.get(name),
            "worked": worked[name],
            **{one: counts.get((name, one), 0) for one in statuses},
        }
        for name in names
    ]
    more = rows[_PER_PAGE - 1].seq if len(rows) > _PER_PAGE else None
    listed = rows[:_PER_PAGE]
    return site.page(
        "deliveries.html.j2", visit, channels=channels, rows=listed, wanted=status, statuses=statuses, more=more
    )


def _before(visit: Visit) -> int | None:
    text = visit.query.get("before", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


# ── what forms do ────────────────────────────────────────────────────────────────────────────────────────────────────


def acknowledge(site: "Site", visit: Visit) -> Response:
    acting.acknowledge(site, visit, _wanted(visit))
    return _back(visit, f"/alerts/{visit.places['alert']}", "ack")


def stop(site: "Site", visit: Visit) -> Response:
    acting.report_stop(site, visit, _wanted(visit))
    return _back(visit, f"/alerts/{visit.places['alert']}", "stop")


def resolve(site: "Site", visit: Visit) -> Response:
    acting.resolve(site, visit, _wanted(visit))
    return _back(visit, f"/alerts/{visit.places['alert']}", "resolve")


def silence(site: "Site", visit: Visit) -> Response:
    acting.silence(site, visit, _wanted(visit))
    return _back(visit, "/silences", "silence")


def expect(site: "Site", visit: Visit) -> Response:
    acting.expect(site, visit, _wanted(visit))
    return _back(visit, "/silences", "expect")


def unsilence(site: "Site", visit: Visit) -> Response:
    acting.unsilence(site, visit, _wanted(visit))
    return _back(visit, "/silences", "unsilence")


def block(site: "Site", visit: Visit) -> Response:
    acting.block(site, visit, _wanted(visit))
    return _back(visit, "/", "block")


def unblock(site: "Site", visit: Visit) -> Response:
    acting.unblock(site, visit, _wanted(visit))
    return _back(visit, "/", "unblock")


def _wanted(visit: Visit) -> Wanted:
    fields: dict[str, Any] = dict(visit.form)
    return Wanted(fields, visit.now)


def _back(visit: Visit, target: str, done: str) -> Response:
    return RedirectResponse(f"{own_path(visit.form.get('next') or target)}?done={done}", 303)
