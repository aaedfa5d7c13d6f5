"""What follows a notice where messages have threads: a line of the story, and a pointer in the message it outdates."""

from dataclasses import replace
from datetime import datetime

from flowy_watch.core.alert import Change
from flowy_watch.core.notification import Manner, Notification
from flowy_watch.core.words import person_words, span_words

_ANEW = {
    Change.ESCALATED: "It grew worse, and is told anew further down.",
    Change.REPEATED: "It is told again further down.",
    Change.REOPENED: "It is back, and told anew further down.",
    Change.STOP_FAILED: "Its revoke did not hold: see further down.",
    Change.STOPPED: "Its key is reported as revoked and is quiet: see further down.",
}


def follow_ups(told: Notification, *, first: str, earlier: str, now: str) -> tuple[Notification, ...]:
    """What is still to be sent once `told` was: each is a notice of its own, with its own tries.

    `first` is the remote id of the alert's first message, whose thread holds the story, `earlier` of the one that stood
    before, `now` of the one that stands now.
    """
    if not (first and earlier) or told.change is Change.UPDATED:
        return ()
    follower = replace(told, change=Change.UPDATED, also=(), also_ids=(), withheld="")
    line = replace(follower, manner=Manner.THREAD, note=_line(told), target=first)
    if now == earlier or told.manner is not Manner.POST:
        return (line,)
    words = _ANEW.get(told.change, "It is over: see further down.")
    return (replace(follower, manner=Manner.IN_PLACE_ONLY, note=words, target=earlier), line)


def _line(told: Notification) -> str:
    """`acknowledged by ana: looking`; the instant comes before it."""
    alert, change, finding = told.alert, told.change, told.alert.finding
    said = finding.title.removeprefix(finding.key_name).strip() if finding.key_name else ""
    title = f"it {said}" if said and said != finding.title else finding.title
    why = f": {told.note}" if told.note else ""
    by = f" by {person_words(alert.acknowledged_by)}" if alert.acknowledged_by else ""
    until = f" until {_minute(alert.acknowledged_until)}" if alert.acknowledged_until else ""
    if change is Change.RESOLVED:
        lasted = span_words((alert.resolved_at or alert.last_seen_at) - alert.opened_at)
        return f"over, after {lasted}{why}"
    lines = {
        Change.ESCALATED: f"grew worse: {title}",
        Change.REPEATED: f"told again: {title}",
        Change.ACKNOWLEDGED: f"acknowledged{by}{until}{why}",
        Change.EXPECTED: f"marked as expected{by}{until}{why}",
        Change.SILENCED: told.note or "silenced",
        Change.STOPPED: told.note or "stopped",
        Change.STOP_REPORTED: f"reported as revoked{by}{why}",
        Change.STOP_FAILED: f"its revoke did not hold{why}",
        Change.REOPENED: f"came back: {title}",
        Change.FLAPPING: f"comes and goes{why}",
        Change.DISMISSED: f"called no anomaly{why}",
    }
    return lines.get(change, f"{change.value.replace('_', ' ')}{why}")


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
