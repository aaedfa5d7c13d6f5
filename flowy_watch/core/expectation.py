"""What somebody said to expect of a key: how much that is, and when it is more."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from statistics import median

from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.history import History
from flowy_watch.core.pattern import matches
from flowy_watch.core.provenance import Provenance
from flowy_watch.core.silence import Silence, limit
from flowy_watch.core.stakes import stakes_of
from flowy_watch.core.usage import CREDIT, Microcredits, day_of, next_reset
from flowy_watch.core.words import credit_words, person_words

_USUAL_DAYS, _FEWEST_DAYS = 14, 3
_PACE_SPAN = timedelta(hours=1)


def beyond(
    histories: Iterable[History],
    silences: Iterable[Silence],
    balance: Microcredits | None,
    provenance: Mapping[str, Provenance],
) -> Iterator[Finding]:
    """Keys that spent half as much again as was expected of them for a day: an alert of each such day.

    `provenance` is of keys by id, where several sources or the meter tell of them.
    """
    expectations = [silence for silence in silences if silence.expected]
    if all(one.credits_at_most is None for one in expectations):
        return
    for history in histories:
        latest = history.latest
        of_key = [one for one in expectations if matches(one.pattern, latest.name, latest.key_id)]
        widest = max(of_key, key=_width, default=None)
        most = widest.credits_at_most if widest else None
        if widest and most is not None and latest.spent is not None and latest.spent > limit(most):
            known = provenance.get(latest.key_id)
            remark, meter_key = (known.remark, known.fingerprint) if known else ("", "")
            stakes = stakes_of(history, balance, remark)
            yield replace(_finding(history, widest, most, latest.spent), stakes=stakes, meter_key=meter_key)


def _width(expectation: Silence) -> float:
    return float("inf") if expectation.credits_at_most is None else expectation.credits_at_most


def _finding(history: History, expectation: Silence, most: Microcredits, spent: Microcredits) -> Finding:
    latest, name = history.latest, history.latest.name or history.latest.key_id
    by = f" by {person_words(expectation.by)}" if expectation.by else ""
    until = f"{expectation.until:%a %d %b %H:%M} UTC"
    why = f" ({expectation.why})" if expectation.why else ""
    return Finding(
        kind="spike",
        severity=Severity.CRITICAL,
        title=f"{name} spent {credit_words(spent)} credits today; {credit_words(most)} were expected",
        key_id=latest.key_id,
        key_name=name,
        last_four=latest.last_four,
        period=day_of(latest.taken_at).isoformat(),
        level=4 if spent > 3 * most else 3,
        evidence=(
            f"Expected {credit_words(most)} a day until {until}{by}{why}; {credit_words(spent)} so far today.",
            f"Told from {credit_words(limit(most))} credits a UTC day on: half as much again as expected.",
        ),
        facts={"expected": credit_words(most), "until": until, "by": expectation.by},
    )


def on_course(history: History | None, days: Sequence[tuple[date, Microcredits]], today: date) -> Microcredits:
    """What a key is to spend by the end of the UTC day at its present pace, and twice its usual day at least.

    Rounded up to two figures. 0 where nothing is known of its spend. `days` are its UTC days, oldest first.
    """
    course = 0
    if history and history.latest.spent is not None and day_of(history.latest.taken_at) == today:
        left = next_reset(history.latest.taken_at) - history.latest.taken_at
        course = history.latest.spent + int(history.per_hour(_PACE_SPAN) * (left / timedelta(hours=1)))
    before = [spent for day, spent in days if day < today][-_USUAL_DAYS:]
    usual = int(median(before)) if len(before) >= _FEWEST_DAYS else 0
    return _rounded_up(max(course, 2 * usual))


def _rounded_up(amount: Microcredits) -> Microcredits:
    """To two figures, and to whole credits."""
    whole = -(-amount // CREDIT)
    step: int = 10 ** max(len(str(whole)) - 2, 0)
    return -(-whole // step) * step * CREDIT
