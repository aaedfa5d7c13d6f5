"""Figures and people as words, the same in titles, evidence and templates."""

import re
from datetime import timedelta

from flowy_watch.core.usage import CREDIT, Microcredits

SPEND_NOT_KNOWN = "spend not known from this source"
_SLACK = re.compile(r"slack:(?:(?P<name>.+) \([A-Z0-9]+\)|(?P<id>[A-Z0-9]+))")


def credit_words(amount: Microcredits) -> str:
    """`4,800`, `12.5`, `0.04`: grouped, at most two decimals, a trace never shown as nothing."""
    if 0 < abs(amount) < CREDIT // 100:
        return "<0.01" if amount > 0 else "-<0.01"
    cents = (abs(amount) * 100 + CREDIT // 2) // CREDIT
    whole, part = divmod(cents, 100)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole:,}" + (f".{part:02d}".rstrip("0") if part else "")


def counted(number: int, noun: str) -> str:
    """`1 key`, `2,884 keys`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def slack_account(name: str, account_id: str) -> str:
    """Who pressed, for the audit log: `slack:ana (U0123)`. Names are chosen by people, ids are not."""
    return f"slack:{name} ({account_id})" if name else f"slack:{account_id}"


def person_words(by: str) -> str:
    """Who it was, in a sentence: `ana on Slack`. Which account that is, the story and the API say."""
    found = _SLACK.fullmatch(by)
    return f"{found['name'] or found['id']} on Slack" if found else by


def span_words(span: timedelta) -> str:
    """`45 s`, `12 min`, `3 h 20 min`, `4 days`."""
    seconds = int(span.total_seconds())
    if seconds < 90:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 48 * 60:
        hours, rest = divmod(minutes, 60)
        return f"{hours} h {rest} min" if rest and hours < 12 else f"{round(minutes / 60)} h"
    return f"{round(minutes / 60 / 24)} days"
