"""What the commands print: tables for people, JSON for programs.

Longer than other files: what a command says to people and to programs stands side by side, so that both say the same.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from flowy_watch.core.alert import Alert, Status
from flowy_watch.core.digest import SmallFigures
from flowy_watch.core.finding import Severity
from flowy_watch.core.notification import Manner
from flowy_watch.core.pattern import matches
from flowy_watch.core.prices import LEARNED_OVER
from flowy_watch.core.provenance import Figure, From, Provenance, Sure
from flowy_watch.core.silence import Silence
from flowy_watch.core.stop import Stop
from flowy_watch.core.usage import clean_name, day_of
from flowy_watch.core.words import counted, credit_words
from flowy_watch.errors import StoreError
from flowy_watch.ledger import Block, Ledger, Price, PriceSource, key_words
from flowy_watch.store import Work
from flowy_watch.store.outbox import DEAD, SENT, WAITING, WITHHELD

if TYPE_CHECKING:
    from rich.console import Console

    from flowy_watch.render.chart_page import Table

_WIDE = 10_000
_COLOURS = {"critical": "bold red", "warning": "yellow", "info": "cyan"}


def console() -> "Console":
    """As wide as the terminal; what goes into a file or a pipe is broken nowhere, so that `grep` finds whole lines."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDE)


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


def alert_fields(alert: Alert) -> dict[str, Any]:
    finding = alert.finding
    return {
        "id": alert.id,
        "kind": finding.kind,
        "severity": finding.severity.word,
        "status": alert.status.value,
        "key_id": finding.key_id,
        "key_name": finding.key_name or None,
        "title": finding.title,
        "opened_at": alert.opened_at,
        "last_seen_at": alert.last_seen_at,
        "resolved_at": alert.resolved_at,
    }


def state_fields(alert: Alert) -> dict[str, Any]:
    """The same with who looks after it, whether it flaps, and what is known of a stop."""
    return alert_fields(alert) | {
        "acknowledged_by": alert.acknowledged_by or None,
        "flapping": alert.wobble.flapping_since is not None,
        "came_back": alert.wobble.back,
        "stop": alert.stop and _stop_fields(alert.stop),
    }


def _stop_fields(stop: Stop) -> dict[str, Any]:
    toll = stop.toll
    return {
        "reported_at": stop.reported_at,
        "reported_by": stop.by or None,
        "quiet_since": stop.quiet_since,
        "still_listed_as_active": stop.still_listed,
        "used_at": stop.used_at,
        "loss": toll and toll.loss / 1e6,
        "loss_is_beyond_usual": toll and toll.beyond_usual,
        "detected_after_seconds": toll and toll.detected_after and toll.detected_after.total_seconds(),
        "stopped_after_seconds": toll and toll.stopped_after.total_seconds(),
    }


def silence_fields(silence: Silence) -> dict[str, Any]:
    return {
        "id": silence.id,
        "pattern": silence.pattern,
        "kind": silence.kind,
        "until": silence.until,
        "by": silence.by,
        "why": silence.why,
        "expected": silence.expected,
        "credits": None if silence.credits_at_most is None else silence.credits_at_most / 1e6,
        "created_at": silence.created_at,
    }


def alerts_table(alerts: Iterable[dict[str, Any]]) -> Any:
    """Of the fields of alerts."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("alert", "severity", "status", "opened (UTC)", "what"):
        table.add_column(heading, overflow="fold", no_wrap=heading != "what")
    for alert in alerts:
        style = "dim" if alert["status"] == Status.RESOLVED else _COLOURS.get(alert["severity"], "")
        table.add_row(
            str(alert["id"]),
            Text(alert["severity"], style=style),
            alert["status"],
            f"{alert['opened_at']:%m-%d %H:%M}",
            Text(alert["title"]),
        )
    return table


def small_fields(one: SmallFigures) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "key_id": one.key_id or None,
        "key_name": one.key_name or None,
        "title": one.title,
        "opened_at": one.opened_at,
        "last_seen_at": one.last_seen_at,
        "credits_beyond_expected": one.excess / 1e6,
        "told_from": one.least / 1e6,
    }


def small_words(fields: Mapping[str, Any]) -> str:
    """What it was, and why nobody was told."""
    excess, least = (credit_words(round(fields[name] * 1e6)) for name in ("credits_beyond_expected", "told_from"))
    return (
        f"{fields['opened_at']:%Y-%m-%d %H:%M} UTC  {fields['title']}: not told, {excess} credits beyond the "
        f"expected (detectors.{fields['kind']}.least_credits is {least})"
    )


def status_fields(work: Work, now: datetime) -> dict[str, Any]:
    """The state in one glance, as `status --json` prints it."""
    polls, balance = work.usage.last_polls(1), work.usage.last_balance()
    counts, provenances = work.outbox.counts(), work.knowledge.provenances()
    return {
        "at": now,
        "last_poll": {
            "taken_at": polls[0].taken_at,
            "outcome": polls[0].outcome,
            "reason": polls[0].reason,
            "keys": polls[0].keys,
            "skipped": polls[0].skipped,
        }
        if polls
        else None,
        "balance": balance.balance_microcredits / 1e6 if balance else None,
        "open_alerts": [state_fields(a) for a in work.alerts.unresolved()],
        "silences": [silence_fields(one) for one in work.alerts.silences(now)],
        "log": [{"at": a.at, "act": a.act, "what": a.words, "by": a.by, "why": a.why} for a in work.alerts.acts()],
        "outbox": {
            status: sum(count for (_, at), count in counts.items() if at == status)
            for status in (WAITING, SENT, DEAD, WITHHELD)
        },
        "buttons": [
            {"channel": b.channel, "connected": not b.trouble, "trouble": b.trouble, "since": b.since_at}
            for b in work.buttons.all()
        ],
        "dead_letters": [
            {"channel": d.channel, "alert": d.alert_id, "created_at": d.created_at, "reason": d.reason}
            for d in work.outbox.dead_letters()
        ],
        "keys": [
            {
                "key_id": k.key_id,
                "name": k.name,
                "last_four": k.last_four,
                "spent_today": None if k.spent_microcredits is None else k.spent_microcredits / 1e6,
                "daily_cap": None if k.daily_cap_microcredits is None else k.daily_cap_microcredits / 1e6,
                "last_used_at": k.last_used_at,
                "status": k.status,
                "figures": figure_fields(provenances.get(k.key_id)),
            }
            for k in work.usage.keys_today(now.date())
        ],
    }


def figure_fields(provenance: Provenance | None) -> list[dict[str, str]]:
    """Where each figure of a key comes from and how sure it is; nothing where one source tells all of them exactly."""
    figures = provenance.figures if provenance else {}
    return [{"figure": one.value, "source": told.source, "sure": told.sure.value} for one, told in figures.items()]


def block_fields(block: Block, words: str = "") -> dict[str, Any]:
    return {
        "fingerprint": block.fingerprint,
        "key": words or f"the key {block.fingerprint}",
        "at": block.at,
        "by": block.by,
        "why": block.why,
    }


def blocked_fields(words: str, block: Block, *, new: bool, taken: Iterable[Alert]) -> dict[str, Any]:
    """What a block, or its end, came to."""
    return block_fields(block, words) | {"new": new, "taken": [alert_fields(one) for one in taken]}


def meter_fields(path: Path, now: datetime) -> dict[str, Any]:
    """What the meter refuses and which prices were learned, or why that cannot be told; nothing where it never ran."""
    told: dict[str, Any] = {"blocks": [], "learned_prices": [], "meter_trouble": ""}
    if not path.exists():
        return told
    ledger = Ledger(path)
    try:
        blocks = ledger.blocks()
        words = {use.fingerprint: key_words(use) for use in ledger.keys(day_of(now))} if blocks else {}
        told["blocks"] = [block_fields(one, words.get(one.fingerprint, "")) for one in blocks]
        told["learned_prices"] = _learned(ledger, ledger.prices(), now)
    except StoreError as error:
        return told | {"meter_trouble": str(error)}
    finally:
        ledger.close()
    return told


def sureness_fields(work: Work, alert: Alert, path: Path, now: datetime) -> dict[str, Any]:
    """Where the figures of an alert's key come from, and the learned prices that they rest on; nothing where exact."""
    provenance = work.knowledge.provenance(alert.finding.key_id) if alert.finding.key_id else None
    learned: list[dict[str, Any]] = []
    if provenance and provenance.fingerprint and path.exists():
        with suppress(StoreError), closing(Ledger(path)) as ledger:
            learned = _learned(ledger, ledger.prices_for(provenance.fingerprint), now)
    return {"figures": figure_fields(provenance), "learned_prices": learned}


def _learned(ledger: Ledger, prices: Iterable[Price], now: datetime) -> list[dict[str, Any]]:
    learned = [price for price in prices if price.source is PriceSource.LEARNED]
    runs = ledger.runs_counted(now - LEARNED_OVER) if learned else {}
    return [_price_fields(price, runs.get(price.app_id, 0)) for price in learned]


def _price_fields(price: Price, runs: int) -> dict[str, Any]:
    credits = {"credits": price.price, "low": price.low, "high": price.high}
    return {"app": clean_name(price.app_id), **{name: value / 1e6 for name, value in credits.items()}, "runs": runs}


def print_status(fields: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console()
    poll = fields["last_poll"]
    if poll is None:
        out.print("No poll yet. `flowy-watch poll` makes one.")
    else:
        age = int((fields["at"] - poll["taken_at"]).total_seconds() // 60)
        line = f"Last poll {age} min ago: {poll['outcome']}, {counted(poll['keys'], 'key')}, {poll['skipped']} skipped"
        out.print(Text(line + (f" ({poll['reason']})" if poll["reason"] else "")))
    if fields["balance"] is not None:
        out.print(f"Balance {credit_words(int(fields['balance'] * 1e6))} credits")
    box = fields["outbox"]
    out.print(f"Notices: {box['sent']} sent, {box['waiting']} waiting, {box['dead']} dead, {box['withheld']} withheld")
    for lost in (one for one in fields["buttons"] if not one["connected"]):
        since = f"{lost['since']:%m-%d %H:%M} UTC"
        out.print(Text(f"Buttons of {lost['channel']} are not heard since {since}: {lost['trouble']}", "red"))
    for letter in fields["dead_letters"]:
        out.print(Text(f"  not delivered on {letter['channel']}: {_about(letter['alert'])}: {letter['reason']}", "red"))
    for silence in fields["silences"]:
        out.print(Text(_silence_words(silence, fields["keys"])))
    if fields["meter_trouble"]:
        out.print(Text(f"Blocks are not known: {fields['meter_trouble']}", "red"))
    for block in fields["blocks"]:
        why = f": {block['why']}" if block["why"] else ""
        text = f"Blocked at the meter: {block['key']} by {block['by']} since {block['at']:%m-%d %H:%M} UTC{why}"
        out.print(Text(text))
    for price in fields["learned_prices"]:
        out.print(Text(f"{learned_words(price)} (figures by price rest on it)"))
    open_alerts = fields["open_alerts"]
    out.print(counted(len(open_alerts), "open alert") + (":" if open_alerts else "."))
    for alert in open_alerts:
        mark = "  (flapping)" if alert["flapping"] else ""
        out.print(Text(f"  {alert['id']}  {alert['severity']}  {alert['title']}{mark}"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, justify in (("key", "left"), ("spent today", "right"), ("cap", "right"), ("last used (UTC)", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]  # a literal by construction
    for key in fields["keys"]:
        spent, cap, used = key["spent_today"], key["daily_cap"], key["last_used_at"]
        sure = next((one["sure"] for one in key["figures"] if one["figure"] == Figure.SPENT), "exact")
        table.add_row(
            Text(f"{key['name'] or key['key_id']}" + (f" …{key['last_four']}" if key["last_four"] else "")),
            "unknown" if spent is None else credit_words(int(spent * 1e6)) + ("" if sure == "exact" else f" ({sure})"),
            _missing(key, Figure.CAP, "none") if cap is None else credit_words(int(cap * 1e6)),
            f"{used:%Y-%m-%d %H:%M}" if used else _missing(key, Figure.LAST_USED, "never"),
        )
    out.print(table)


def learned_words(price: Mapping[str, Any]) -> str:
    """`Price learned: poster 12 credits ±1, 40 runs of the last 28 days`"""
    off = max(price["high"] - price["credits"], price["credits"] - price["low"])
    what = f"{credit_words(round(price['credits'] * 1e6))} credits ±{credit_words(round(off * 1e6))}"
    return f"Price learned: {price['app']} {what}, {price['runs']:,} runs of the last {LEARNED_OVER.days} days"


def figures_words(figures: Sequence[Mapping[str, str]]) -> str:
    """`spend by price, from meter; last use exact, from meter`"""
    told = (f"{Figure(one['figure']).words} {From(one['source'], Sure(one['sure'])).words}" for one in figures)
    return "; ".join(told)


def _silence_words(silence: Mapping[str, Any], keys: Iterable[Mapping[str, Any]]) -> str:
    """What a silence covers, until when, and whose it is; a key by its name where it was silenced by its id."""
    word = "Expected: silence" if silence["expected"] else "Silence"
    on = next((key["name"] for key in keys if key["key_id"] == silence["pattern"] and key["name"]), silence["pattern"])
    kind = f", {silence['kind']} alone" if silence["kind"] else ""
    amount = "" if silence["credits"] is None else f", {credit_words(round(silence['credits'] * 1e6))} credits a day"
    why = f": {silence['why']}" if silence["why"] else ""
    until = f"{silence['until']:%Y-%m-%d %H:%M} UTC"
    return f"{word} {silence['id']} on {on}{kind}{amount}, until {until} by {silence['by']}{why}"


def nothing_called(pattern: str, keys: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a pattern means none of the keys; where none is known yet, that cannot be told."""
    return bool(keys) and not any(matches(pattern, key["name"], key["key_id"]) for key in keys)


def _missing(key: Mapping[str, Any], figure: Figure, word: str) -> str:
    """`word`, where a source would know better; else that nobody does."""
    told = {one["figure"]: one["sure"] for one in key["figures"]}
    return word if not told or told.get(figure.value) == Sure.EXACT.value else "–"


def _about(alert_id: int | None) -> str:
    return "news of another channel" if alert_id is None else f"alert {alert_id}"


_CHANGES = {
    "dismissed": "resolved as no anomaly",
    "stopped": "confirmed quiet",
    "stop_reported": "reported as revoked",
    "stop_failed": "used after its revoke",
    "seconded": "acknowledged again",
}


def story_lines(work: Work, alert: Alert) -> list[dict[str, Any]]:
    """What happened to an alert and every notice of it, sent and withheld, in order."""
    happened = [
        {
            "at": t.at,
            "what": t.change,
            "line": f"{_CHANGES.get(t.change, t.change)}: {t.title}"
            + (f" (by {t.by})" if t.by else "")
            + (f": {t.why}" if t.why else ""),
        }
        for t in work.alerts.story(alert.id)
    ]
    notices = [
        {"at": (n.status == SENT and n.sent_at) or n.created_at, "what": n.status, "line": _notice(n)}
        for n in work.outbox.story(alert.id)
    ]
    acts = [
        {
            "at": a.at,
            "what": a.act,
            "line": f"{a.act}: {a.words} (by {a.by or 'somebody'})" + (f": {a.why}" if a.why else ""),
        }
        for a in work.alerts.acts_about(alert)
    ]
    return sorted([*acts, *happened, *notices], key=lambda line: line["at"])


def _notice(row: Any) -> str:
    about = f"notice of {row.change}"
    if held := row.payload.get("held_why"):
        about += f" held back ({held}),"
    if row.payload.get("target") and row.status != SENT:
        about += ", a line in the thread," if row.payload["manner"] == Manner.THREAD else ", for the earlier message,"
    if row.status == WITHHELD:
        where = f" from {row.channel}" if row.channel else ""
        return f"{about} withheld{where}: {row.reason}"
    if row.status == SENT:
        tries = f", try {row.tries}" if row.tries > 1 else ""
        return f"{about} sent to {row.channel}{tries}" + (f"; {row.reason}" if row.reason else "")
    if row.status == DEAD:
        return f"{about} not delivered to {row.channel}: {row.reason}"
    reason = "" if row.reason == held else row.reason
    again = f", next at {row.due_at:%H:%M:%S} UTC and for a day at most" if row.due_at > row.created_at else ""
    return f"{about} waits for {row.channel}, try {row.tries}{again}" + (f": {reason}" if reason else "")


class Tried(Protocol):
    """A setting of the knob and what it would have told."""

    @property
    def false_alarms_per_month(self) -> float: ...
    @property
    def threshold(self) -> float: ...
    @property
    def alerts(self) -> Sequence[Alert]: ...
    @property
    def per_month(self) -> float: ...


class Replayed(Protocol):
    @property
    def first_at(self) -> datetime | None: ...
    @property
    def last_at(self) -> datetime | None: ...


def backtest_fields(alerts: Iterable[Alert], polls: int, keys: int) -> dict[str, Any]:
    names = ("key_id", "kind", "severity", "opened_at", "resolved_at", "title")
    listed = [{name: fields[name] for name in names} for fields in map(alert_fields, alerts)]
    return {"alerts": listed, "polls": polls, "keys": keys}


def setting_fields(tried: Tried) -> dict[str, Any]:
    return {
        "false_alarms_per_month": tried.false_alarms_per_month,
        "threshold": round(tried.threshold, 2),
        "alerts": len(tried.alerts),
        "per_month": round(tried.per_month, 2),
    }


def period(replayed: Replayed) -> str:
    if replayed.first_at is None or replayed.last_at is None:
        return ""
    return f", {replayed.first_at:%Y-%m-%d %H:%M} to {replayed.last_at:%Y-%m-%d %H:%M} UTC"


def kinds_table(alerts: Sequence[Alert], months: float) -> "Table":
    """How many alerts of each kind, the most first."""
    from flowy_watch.render.chart_page import Table

    kinds: dict[str, list[Alert]] = {}
    for alert in alerts:
        kinds.setdefault(alert.finding.kind, []).append(alert)
    rows = []
    for kind, found in sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0])):
        severities = [sum(a.finding.severity is severity for a in found) for severity in reversed(Severity)]
        keys = len({a.finding.key_id for a in found if a.finding.key_id})
        rows.append([kind, str(len(found)), f"{len(found) / months:.1f}", *map(str, severities), str(keys)])
    heads = ("kind", "alerts", "a month", *(severity.word for severity in reversed(Severity)), "keys")
    return Table("What would have been told", heads, rows)


def knob_table(settings: Sequence[Tried], present: float) -> "Table":
    """What each setting of the knob would have told about odd spend."""
    from flowy_watch.render.chart_page import Table

    rows = [
        [f"{one.false_alarms_per_month:g}", str(len(one.alerts)), f"{one.per_month:.1f}", f"{one.threshold:.1f}"]
        for one in settings
    ]
    marked = next((n for n, one in enumerate(settings) if one.false_alarms_per_month == present), -1)
    heads = ("false_alarms_per_month", "alerts", "a month", "told from surprise")
    note = (
        f"Alerts about odd spend (spike, ramp), incidents and false alarms alike. Present setting: {present:g}. "
        "A surprise of 4 is seen once in 10,000."
    )
    return Table("What other settings would have told", heads, rows, note, marked)


def print_table(table: "Table") -> None:
    """Nothing for a table without rows."""
    from rich.table import Table as Rich
    from rich.text import Text

    if not table.rows:
        return
    made = Rich(box=None, pad_edge=False, header_style="bold", title=Text(table.title), title_justify="left")
    for n, head in enumerate(table.heads):
        made.add_column(head, justify="right" if n else "left")
    if table.marked >= 0:
        made.add_column("")
    for n, row in enumerate(table.rows):
        cells = [Text(cell) for cell in row]
        if table.marked >= 0:
            cells.append(Text("← present" if n == table.marked else ""))
        made.add_row(*cells, style="bold" if n == table.marked else "")
    out = console()
    out.print()
    out.print(made)
    if table.note:
        out.print(Text(table.note), soft_wrap=True)


def sweep_words(wanted: float, chosen: Tried | None, settings: Sequence[Tried]) -> str:
    """The line for the configuration, or why there is none."""
    quietest = min(settings, key=lambda one: one.false_alarms_per_month)
    if chosen is None:
        return (
            f"No setting tells as little as {wanted:g} a month: {quietest.false_alarms_per_month:g} would still have "
            f"told {quietest.per_month:.1f}. What is left is far out of the ordinary; look at it with --html FILE."
        )
    return (
        f"For at most {wanted:g} alerts about odd spend a month (on this history: {chosen.per_month:.1f}), put into "
        f"the configuration:\n\n[workspace]\nfalse_alarms_per_month = {chosen.false_alarms_per_month:g}"
    )
