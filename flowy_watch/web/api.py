"""The JSON API, `/api/v1`: the facts of the pages for programs, and the same actions."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

from flowy_watch.actions import Blocked
from flowy_watch.core.alert import Status
from flowy_watch.core.silence import Silence
from flowy_watch.core.usage import CREDIT, day_of
from flowy_watch.errors import NotFound, SourceError
from flowy_watch.jobs.exchange import import_pushed
from flowy_watch.render.digest_json import digest_fields
from flowy_watch.render.digest_mail import page_of
from flowy_watch.show import (
    alert_fields,
    blocked_fields,
    figure_fields,
    meter_fields,
    silence_fields,
    small_fields,
    state_fields,
    status_fields,
    story_lines,
    sureness_fields,
)
from flowy_watch.store.outbox import DEAD, SENT, WAITING, WITHHELD
from flowy_watch.web import acting
from flowy_watch.web.digests import as_mailed, asked_for, finished, made
from flowy_watch.web.openapi import document
from flowy_watch.web.visit import Refusal, Visit
from flowy_watch.web.wanted import Wanted, number

if TYPE_CHECKING:
    from flowy_watch.web.site import Site

_MOST, _USUAL = 500, 100


def json(value: Any, status: int = 200) -> Response:
    said = orjson.dumps(value, default=_plain, option=orjson.OPT_UTC_Z)
    return Response(said, status, media_type="application/json")


def _plain(value: object) -> str:
    return str(value)


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _credits(amount: int | None) -> float | None:
    return None if amount is None else amount / CREDIT


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def openapi(_site: "Site", _visit: Visit) -> Response:
    return json(document())


def status(site: "Site", visit: Visit) -> Response:
    """What the command `status` says, with every key: no pages."""
    with site.store.read() as work:
        return json(status_fields(work, visit.now) | meter_fields(site.settings.ledger, visit.now))


def workspace(site: "Site", visit: Visit) -> Response:
    today = day_of(visit.now)
    with site.store.read() as work:
        balance, polls = work.views.last_balance(), work.usage.last_polls(1)
        good_at, counts = work.views.last_good_poll_at(), work.views.alert_counts()
        total = work.views.totals(today).get(today)
        if total is None and not any(row.day == today for row in work.views.keys(today)):
            total = 0
    return json(
        {
            "name": site.settings.workspace.name or None,
            "at": _instant(visit.now),
            "balance": _credits(balance.balance_microcredits) if balance else None,
            "balance_at": _instant(balance.taken_at) if balance else None,
            "spent_today": _credits(total),
            "last_poll": _poll(polls[0]) if polls else None,
            "last_good_poll_at": _instant(good_at),
            "unresolved_alerts": sum(count for *_, count in counts),
        }
    )


def keys(site: "Site", visit: Visit) -> Response:
    most, after, today = _limit(visit), _cursor(visit) or 0, day_of(visit.now)
    with site.store.read() as work:
        rows = [row for row in work.views.keys(today) if row.key_no > after]
    return json({"keys": [_key(site, row, today) for row in rows[:most]], "next_cursor": _next(rows, most, "key_no")})


def key(site: "Site", visit: Visit) -> Response:
    today = day_of(visit.now)
    days = [today - timedelta(days=n) for n in range(90)]
    with site.store.read() as work:
        row = work.views.key(visit.places["key"])
        if row is None:
            raise NotFound("there is no such key")
        daily = work.views.days(row.key_no, days)
        alerts = work.views.alerts(before=None, most=50, key_id=row.key_id)
        figures = figure_fields(work.knowledge.provenance(row.key_id))
    listed = [
        {
            "day": day.day.isoformat(),
            "spent": _credits(day.spent_microcredits),
            "daily_cap": _credits(day.daily_cap_microcredits),
            "last_used_at": _instant(day.last_used_at),
            "complete": day.complete,
        }
        for day in daily
    ]
    told = {"figures": figures, "days": listed, "alerts": [alert_fields(alert) for alert in alerts]}
    return json(_key(site, row, today) | told)


def _key(site: "Site", row: Any, today: date) -> dict[str, Any]:
    return {
        "key_id": row.key_id,
        "name": row.name,
        "last_four": row.last_four or None,
        "owner": site.settings.owner_of(row.key_id, row.name) or None,
        "status": row.status,
        "spent_today": _credits(row.spent) if row.day == today else None,
        "daily_cap": _credits(row.cap),
        "last_used_at": _instant(row.last_used_at),
        "created_at": _instant(row.created_at),
    }


def alerts(site: "Site", visit: Visit) -> Response:
    most, wanted = _limit(visit), _status(visit, *(status.value for status in Status), "unresolved")
    groups = {"": [], "unresolved": [Status.OPEN, Status.ACKNOWLEDGED]} | {status.value: [status] for status in Status}
    with site.store.read() as work:
        found = work.views.alerts(
            before=_cursor(visit), most=most + 1, status=groups[wanted], key_id=visit.query.get("key_id", "")
        )
    return json({"alerts": [alert_fields(alert) for alert in found[:most]], "next_cursor": _next(found, most, "id")})


def alert(site: "Site", visit: Visit) -> Response:
    with site.store.read() as work:
        found = work.alerts.get(number(visit.places["alert"]))
        if found is None:
            raise NotFound(f"there is no alert {visit.places['alert']}; `flowy-watch alerts` lists them")
        story = story_lines(work, found)
        sureness = sureness_fields(work, found, site.settings.ledger, visit.now)
    lines = [{"at": _instant(line["at"]), "what": str(line["what"]), "line": line["line"]} for line in story]
    return json(state_fields(found) | {"evidence": list(found.finding.evidence), "story": lines} | sureness)


def small(site: "Site", visit: Visit) -> Response:
    """What `alerts --small` lists."""
    with site.store.read() as work:
        found = work.small.latest()
    return json({"small_anomalies": [small_fields(one) for one in found]})


def silences(site: "Site", visit: Visit) -> Response:
    with site.store.read() as work:
        found = work.alerts.silences(visit.now)
    return json({"silences": [_silence(one) for one in found]})


def _silence(one: Silence) -> dict[str, Any]:
    fields = silence_fields(one)
    return fields | {name: fields[name] or None for name in ("kind", "by", "why")}


def deliveries(site: "Site", visit: Visit) -> Response:
    most, status = _limit(visit), _status(visit, WAITING, SENT, DEAD, WITHHELD)
    with site.store.read() as work:
        rows = work.views.deliveries(before=_cursor(visit), most=most + 1, status=status)
    listed = [
        {
            "id": row.id,
            "alert": row.alert_id,
            "channel": row.channel or None,
            "change": row.change,
            "status": row.status,
            "created_at": _instant(row.created_at),
            "sent_at": _instant(row.sent_at),
            "tries": row.tries,
            "reason": row.reason or None,
        }
        for row in rows[:most]
    ]
    return json({"deliveries": listed, "next_cursor": _next(rows, most, "seq")})


def polls(site: "Site", visit: Visit) -> Response:
    most = _limit(visit)
    with site.store.read() as work:
        rows = work.views.polls(before=_cursor(visit), most=most + 1)
    return json({"polls": [_poll(row) for row in rows[:most]], "next_cursor": _next(rows, most, "id")})


def _poll(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "taken_at": _instant(row.taken_at),
        "outcome": row.outcome,
        "reason": row.reason or None,
        "keys": row.keys,
        "skipped": row.skipped,
    }


def _limit(visit: Visit) -> int:
    text = visit.query.get("limit", str(_USUAL))
    if not text.isascii() or not text.isdigit() or len(text) > 4 or not 1 <= int(text) <= _MOST:
        raise Refusal(422, f"limit must be a number from 1 to {_MOST}.")
    return int(text)


def _status(visit: Visit, *known: str) -> str:
    """One of those; empty where it is not asked for."""
    status = visit.query.get("status")
    if status is not None and status not in known:
        raise Refusal(422, f"status must be {', '.join(known[:-1])} or {known[-1]}.")
    return status or ""


def _cursor(visit: Visit) -> int | None:
    text = visit.query.get("cursor")
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Refusal(422, "cursor must be what next_cursor said.")
    return int(text)


def _next(rows: list[Any], most: int, name: str) -> str | None:
    """Where the next page begins; None on the last."""
    return str(getattr(rows[most - 1], name)) if len(rows) > most else None


def digests(site: "Site", visit: Visit) -> Response:
    """The finished weeks and months that the page lists, the latest first."""
    found, _ = finished(site, visit)
    listed = [
        {
            "period": line.period.name,
            "first_day": line.period.first.isoformat(),
            "spent": _credits(line.spent),
            "spent_before": _credits(line.before),
            "at_least": line.at_least,
            "readers": line.readers,
        }
        for lines in found.values()
        for line in lines
    ]
    return json({"digests": listed})


def digest(site: "Site", visit: Visit) -> Response:
    """What `digest --json` prints."""
    period, owner = asked_for(visit)
    with site.store.read() as work:
        return json(digest_fields(made(site, visit, work, period, owner)))


def digest_mail(site: "Site", visit: Visit) -> Response:
    """As it is mailed; the pictures stand inside the HTML."""
    period, owner = asked_for(visit)
    with site.store.read() as work:
        mail = as_mailed(site, period, owner, made(site, visit, work, period, owner))
    return json({"subject": mail.subject, "text": mail.text, "html": page_of(mail)})


# ── acting ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _wanted(visit: Visit) -> Wanted:
    if not visit.body:
        return Wanted({}, visit.now)
    found = _object(visit.body)
    return Wanted(found, visit.now)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except ValueError:
        raise Refusal(400, "The body is not JSON.") from None
    if not isinstance(found, dict):
        raise Refusal(422, "The body must be an object.")
    return found


def acknowledge(site: "Site", visit: Visit) -> Response:
    return json(state_fields(acting.acknowledge(site, visit, _wanted(visit))))


def stop(site: "Site", visit: Visit) -> Response:
    done, *others = acting.report_stop(site, visit, _wanted(visit))
    return json(state_fields(done) | {"taken": [alert_fields(one) for one in others]})


def resolve(site: "Site", visit: Visit) -> Response:
    return json(alert_fields(acting.resolve(site, visit, _wanted(visit))))


def silence(site: "Site", visit: Visit) -> Response:
    return json(_silence(acting.silence(site, visit, _wanted(visit))), 201)


def unsilence(site: "Site", visit: Visit) -> Response:
    acting.unsilence(site, visit, Wanted(visit.query, visit.now))
    return Response(status_code=204)


def expect(site: "Site", visit: Visit) -> Response:
    made, taken = acting.expect(site, visit, _wanted(visit))
    return json(_silence(made) | {"taken": [alert_fields(one) for one in taken]}, 201)


def block(site: "Site", visit: Visit) -> Response:
    return json(_blocked(acting.block(site, visit, _wanted(visit))), 201)


def unblock(site: "Site", visit: Visit) -> Response:
    return json(_blocked(acting.unblock(site, visit, _wanted(visit))))


def _blocked(done: Blocked) -> dict[str, Any]:
    return blocked_fields(done.words, done.block, new=done.new, taken=done.taken)


def push(site: "Site", visit: Visit) -> Response:
    """Snapshots of one or more moments, as lines of an export."""
    rows = _object(visit.body).get("snapshots")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Refusal(422, "snapshots must be a list of objects.")
    try:
        done = import_pushed(site.store, rows, now=visit.now)
    except SourceError as error:
        raise Refusal(422, f"{error}.") from None
    bad = [{"place": line.number, "reason": line.reason} for line in done.bad]
    counts = {"polls": done.polls, "snapshots": done.snapshots, "known": done.known, "bad_lines": done.bad_lines}
    return json(counts | {"skipped": bad}, 201)
