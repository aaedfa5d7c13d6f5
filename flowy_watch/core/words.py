"""Figures as words, the same in titles, evidence and templates."""

from datetime import timedelta

from flowy_watch.core.usage import CREDIT, Microcredits

SPEND_NOT_KNOWN = "spend not known from this source"


def credit_words(amount: Microcredits) -> str:
    """`4,800`, `12.5`, `0.04`: grouped, at most two decimals, a trace never shown as nothing."""
    if 0 < abs(amount) < CREDIT // 100:
        return "<0.01" if amount > 0 else "-<0.01"
    cents = (abs(amount) * 100 + CREDIT // 2) // CREDIT
    whole, part = divmod(cents, 100)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole:,}" + (f".{part:02d}".rstrip("0") if part else "")


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
