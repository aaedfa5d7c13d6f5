"""What a notification says, before any dialect: its first line, and its parts in the order people need them.

Longer than most: it is one message, read from top to bottom.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from flowy_watch.core.alert import Alert, Change, Status
from flowy_watch.core.finding import Finding, Severity, Stakes
from flowy_watch.core.notification import Notification
from flowy_watch.core.press import Verb
from flowy_watch.core.words import credit_words, span_words
from flowy_watch.render.phrase import Line, When, bold, code, line, pattern, plain, shorten, visible, who
from flowy_watch.render.stopped import stop_lines, toll_lines, wobble_line

LONGEST_LINE = 300
LONGEST_SUBJECT = 110
MOST_EVIDENCE = 6


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom the words are for."""

    workspace: str
    api_keys_url: str
    """Where a person revokes; empty: the path in words only."""
    timezone: ZoneInfo


class Mood(StrEnum):
    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"
    TAKEN = "taken"
    CALM = "calm"
    MOVED = "moved"

    @property
    def sign(self) -> str:
        return {"critical": "🔴", "warning": "🟠", "info": "🔵", "taken": "👀", "calm": "✅", "moved": "⤵️"}[self.value]


class Role(StrEnum):
    """What a part of a message is for; dialects dress them differently."""

    VERDICT = "verdict"
    MONEY = "money"
    DECISION = "decision"
    SOFTER = "softer"
    STOP = "stop"
    MORE = "more"


@dataclass(frozen=True, slots=True)
class Part:
    role: Role
    lines: tuple[Line, ...] = ()
    bullets: tuple[Line, ...] = ()
    rows: tuple[str, ...] = ()
    """Many plain lines, as in a list of hundreds, where every style would cost room. Never beside lines or bullets."""
    link: str = ""
    """Where the one thing to press is."""

    def without_gaps(self) -> "Part":
        """Lines in which nothing is left to say fall out."""
        lines, bullets = (tuple(spans for spans in part if plain(spans).strip()) for part in (self.lines, self.bullets))
        return replace(self, lines=lines, bullets=bullets)


@dataclass(frozen=True, slots=True)
class Notice:
    """The words of one message."""

    mood: Mood
    first_line: str
    """Alone on a lock screen or in an inbox it tells which key and how bad."""
    parts: tuple[Part, ...]
    footer: tuple[Line, ...] = ()
    verbs: tuple[Verb, ...] = ()
    """What can be pressed, where somebody listens."""


def name_of(finding: Finding) -> str:
    """What the key is called, fit to be shown; empty only where no key is meant."""
    name = visible(finding.key_name) or visible(finding.key_id or "")
    return shorten(name or ("unnamed key" if finding.key_id is not None else ""))


def tail_of(finding: Finding) -> str:
    """` (…4f2a)`, or nothing where the last four are not known."""
    last_four = visible(finding.last_four)[-4:]
    return f" (…{last_four})" if last_four else ""


def said_of_key(finding: Finding) -> str:
    """The title without the key's name in front."""
    return visible(finding.title.removeprefix(finding.key_name).strip())


def mood_of(notification: Notification) -> Mood:
    change, stop = notification.change, notification.alert.stop
    if change is Change.STOPPED and stop and stop.still_listed:
        return Mood.WARNING
    if change.ends or change is Change.STOPPED:
        return Mood.CALM
    if notification.change.takes_on:
        return Mood.TAKEN
    severities = {Severity.CRITICAL: Mood.CRITICAL, Severity.WARNING: Mood.WARNING}
    return severities.get(notification.alert.finding.severity, Mood.INFO)


def first_line(notification: Notification) -> str:
    alert, finding = notification.alert, notification.alert.finding
    name = name_of(finding)
    title = f"{name} {said_of_key(finding)}" if name else visible(finding.title)
    by = f" by {who(alert.acknowledged_by)}" if alert.acknowledged_by else ""
    word = finding.severity.word.upper()
    openings = {
        Change.OPENED: word if name else f"{word}:",
        Change.ESCALATED: f"{word}, now worse:",
        Change.REPEATED: f"STILL {word}:",
        Change.REOPENED: f"{word}, back again:",
        Change.FLAPPING: f"{word}, comes and goes:",
        Change.RESOLVED: "Resolved:",
        Change.STOPPED: "Stopped:",
        Change.STOP_FAILED: f"{word}, used after its revoke:",
        Change.STOP_REPORTED: f"Reported revoked{by}:",
        Change.SECONDED: f"Acknowledged{by}:",
        Change.DISMISSED: "No anomaly:",
        Change.ACKNOWLEDGED: f"Acknowledged{by}:",
        Change.EXPECTED: f"Marked as expected{by}:",
        Change.SILENCED: "Silenced:",
        Change.UPDATED: word if name else f"{word}:",
    }
    said = _said_of_stop(notification, name) or f"{openings[notification.change]} {title}"
    return shorten(said, LONGEST_SUBJECT)


def _said_of_stop(notification: Notification, name: str) -> str:
    """The first line where the news is what became of a revoke; empty elsewhere."""
    stop, change = notification.alert.stop, notification.change
    if stop is None:
        return ""
    reporter = who(stop.by)
    if change is Change.STOP_REPORTED:
        return f"Reported revoked by {reporter}: {name}"
    if change is Change.STOP_FAILED:
        after = f"{reporter} reported it revoked" if reporter else "its revoke"
        return f"CRITICAL: {name} was used after {after}"
    if change is Change.STOPPED and stop.quiet_since:
        quiet = f"{name} is quiet since {stop.quiet_since:%H:%M} UTC"
        return f"Not safe yet: {quiet}, but still listed as active" if stop.still_listed else f"Stopped: {quiet}"
    return f"Closed: {name} was not used for 24 hours" if change is Change.RESOLVED and stop.toll else ""


def verdict(notification: Notification, when: When) -> Part:
    """Which key, whose, and how far from usual."""
    alert, finding = notification.alert, notification.alert.finding
    owner = shorten(visible(notification.owner))
    lines: list[Line] = []
    if name := name_of(finding):
        lines.append(line("Key ", bold(name), tail_of(finding), " · owner " if owner else "", bold(owner)))
    evidence = list(finding.evidence)
    if finding.kind == "blind":
        lines.append(_blind_since(finding, when))
        evidence = []
    elif finding.kind == "safeguard" and {"before", "after"} <= finding.facts.keys():
        before, after = (shorten(visible(finding.facts[side])) for side in ("before", "after"))
        lines.append(line("Before: ", bold(before), "  →  now: ", bold(after)))
        evidence = []
    told = [line(shorten(visible(text), LONGEST_LINE)) for text in evidence[:MOST_EVIDENCE]]
    if more := len(evidence) - MOST_EVIDENCE:
        told += [line(f"and {more} more")] if more > 0 else []
    if alert.stop:
        lines += stop_lines(alert.stop, when)
    lines.append(wobble_line(alert, when))
    for title in notification.also[:MOST_EVIDENCE]:
        said = title.removeprefix(finding.key_name)
        told.append(line("Also: " if said == title else "It also ", shorten(visible(said), LONGEST_LINE)))
    if notification.note:
        told.append(line(f"Told now because {shorten(visible(notification.note), LONGEST_LINE)}."))
    return Part(Role.VERDICT, tuple(lines), tuple(told))


def _blind_since(finding: Finding, when: When) -> Line:
    since = _instant(finding.facts.get("since", ""))
    reason = shorten(visible(finding.facts.get("reason", "")), LONGEST_LINE)
    source = shorten(visible(finding.facts.get("source", "")))
    return line(
        "Not known: " if source else "Not watched: ",
        bold(f"what source {source} alone knows" if source else "every key of the workspace"),
        ", since " if since else "",
        bold(when(since)) if since else "",
        f". {reason[:1].upper()}{reason[1:]}." if reason else "",
    )


def _instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None


def money(stakes: Stakes, when: When) -> Part:
    """Only what is known: each fact that is None is left out."""
    cap, spent = stakes.daily_cap, stakes.spent_today
    of_cap = f" of {credit_words(cap)}" if cap is not None else ""
    lines = [
        line(
            "Spent today ", bold(credit_words(spent)), f"{of_cap} credits · ", bold(credit_words(stakes.per_hour)),
            " per hour now", f" ({visible(stakes.remark)})" if stakes.remark else "",
        ),
        _cap_line(stakes, when),
    ]  # fmt: skip
    lines.append(_risk_line(stakes, when))
    if stakes.balance is not None:
        lines.append(line("Balance left ", bold(credit_words(stakes.balance))))
    return Part(Role.MONEY, tuple(lines))


def _risk_line(stakes: Stakes, when: When) -> Line:
    """The most that can still be lost, before the reset and right after it."""
    if stakes.at_risk_today is None:
        return line("Can still be lost: ", bold("no limit is known"))
    today, reset = bold(credit_words(stakes.at_risk_today)), when.clock(stakes.resets_at)
    if not stakes.at_risk_next_day:
        return line("Can still be lost: ", today, f" before {reset}")
    next_day = bold(credit_words(stakes.at_risk_next_day))
    return line("Can still be lost: ", today, " today, up to ", next_day, f" more right after {reset}")


def _cap_line(stakes: Stakes, when: When) -> Line:
    if stakes.daily_cap is None:
        return line(bold("No daily cap"), ": only the balance stops it" if stakes.balance is not None else "")
    if stakes.spent_today >= stakes.daily_cap:
        return line("Cap spent: new runs are refused until ", bold(when.clock(stakes.resets_at)))
    if stakes.cap_hit_at is not None:
        return line("Cap hit at about ", bold(when(stakes.cap_hit_at)))
    return line("At this pace the reset at ", when.clock(stakes.resets_at), " comes before the cap")


def footer(alert: Alert, when: When, workspace: str) -> tuple[Line, ...]:
    """The alert's number and what can be typed about it."""
    if alert.status is not Status.OPEN:
        return (line(f"Alert {alert.id} · ", code(f"flowy-watch why {alert.id}")), line(workspace))
    finding = alert.finding
    if finding.key_id or finding.key_name:
        what = pattern(finding.key_name, finding.key_id or "")
    else:
        what = f"'*' --kind {finding.kind}"
    return (
        line(f"Alert {alert.id} · since {when(alert.opened_at)}", " · " if workspace else "", workspace),
        line("Quiet: ", code(f"flowy-watch silence {what} --for 24h")),
        line("Story: ", code(f"flowy-watch why {alert.id}")),
    )


def ended(alert: Alert, when: When) -> Part:
    """Short and calm: when it began, when it ended, what it cost."""
    over_at = alert.resolved_at or alert.last_seen_at
    lasted = span_words(over_at - alert.opened_at)
    lines = [line("Began ", bold(when(alert.opened_at)), ", ended ", bold(when(over_at)), f" after {lasted}.")]
    if stakes := alert.finding.stakes:
        of_cap = f" of {credit_words(stakes.daily_cap)}" if stakes.daily_cap is not None else ""
        lines.append(line("Spent by then: ", bold(credit_words(stakes.spent_today)), f"{of_cap} credits that day."))
    if alert.stop:
        lines += [*stop_lines(alert.stop, when), *toll_lines(alert.stop.toll)]
    lines.append(wobble_line(alert, when))
    return Part(Role.VERDICT, tuple(lines))


def stopped(notification: Notification, when: When) -> Part:
    """The good news after a revoke, or how far it is good."""
    alert, name = notification.alert, name_of(notification.alert.finding)
    if alert.stop is None:  # as versions before this one told it
        return ended(alert, when)
    lines = [line("Key ", bold(name), tail_of(alert.finding)), *stop_lines(alert.stop, when)]
    lines += toll_lines(alert.stop.toll)
    lines.append(line("Any use from now on is told at once. After 24 quiet hours this closes by itself."))
    return Part(Role.VERDICT, tuple(lines))


def taken_on(notification: Notification, when: When) -> Part:
    """Somebody looks after it."""
    alert = notification.alert
    if notification.change is Change.SILENCED:
        return Part(
            Role.VERDICT,
            (line(f"Nothing more of this key is told: {shorten(visible(notification.note), LONGEST_LINE)}."),),
        )
    person = bold(who(alert.acknowledged_by)) if alert.acknowledged_by else "Somebody"
    if notification.change is Change.STOP_REPORTED and alert.stop:
        key = line("Key ", bold(name_of(alert.finding)), tail_of(alert.finding))
        return Part(Role.VERDICT, (key, *stop_lines(alert.stop, when)))
    said = " expects this" if notification.change is Change.EXPECTED else " looks after this"
    until = alert.acknowledged_until
    lines = [line(person, said, " until " if until else "", bold(when(until)) if until else "", ".")]
    if notification.note:
        lines.append(line(shorten(visible(notification.note), LONGEST_LINE)))
    lines.append(line("It is told again only if it gets worse."))
    return Part(Role.VERDICT, tuple(lines))
