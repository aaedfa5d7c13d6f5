"""What happened in a period beside the sums: movers, caps, alerts, keys that came and went."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from flowy_watch.core.digest import AlertFigures, Digest, KeyFigures, Outcome, movers
from flowy_watch.core.usage import ALL_KEYS, Answers, Microcredits
from flowy_watch.core.words import span_words
from flowy_watch.render.digest_figures import LONGEST, count, credits_about, key_name, key_tail, owner_name
from flowy_watch.render.phrase import Line, bold, code, line, shorten, visible

_MOST_ALERTS, _MOST_NAMES = 6, 6
_TITLE = 160


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    lines: tuple[Line, ...]


def sections_of(digest: Digest) -> tuple[Section, ...]:
    """Those with something to say."""
    sections = (
        Section("Up and down", tuple(_movers(digest))),
        Section("Caps", tuple(_caps(digest))),
        Section("Refused runs", tuple(_refused(digest))),
        Section("Alerts", (*_alerts(digest), *_small(digest))),
        Section("Keys that came, went or changed", tuple(_changes(digest))),
    )
    return tuple(section for section in sections if section.lines)


def _movers(digest: Digest) -> Iterator[Line]:
    for sign, keys in zip(("+", "−"), movers(digest), strict=True):
        if keys:
            named = ", ".join(f"{key_name(key)} {sign}{credits_about(abs(key.change))}" for key in keys)
            yield line(bold("Up: " if sign == "+" else "Down: "), f"{named} credits")


def _caps(digest: Digest) -> Iterator[Line]:
    keys = [key for key in digest.single_keys if key.active and key.key_id != ALL_KEYS]
    full = sorted((key for key in keys if key.at_cap), key=lambda key: -key.at_cap)
    near = sorted((key for key in keys if key.near_cap and not key.at_cap), key=lambda key: -key.near_cap)
    days = [f"{key_name(key)} {count(key.at_cap, 'day')}" for key in full]
    yield from _listing("Spent the whole cap", days)
    yield from _listing("Came near it (90 %)", [f"{key_name(key)} {count(key.near_cap, 'day')}" for key in near])
    bare = [key for key in keys if key.cap is None]
    yield from _listing(
        "No cap",
        [f"{key_name(key)} (spent {credits_about(key.spent)} credits)" for key in bare if key.spent],
        len(bare),
    )
    loose = [f"{key_name(key)} ({credits_about(key.cap or 0)} credits, high days {credits_about(key.usual_high or 0)})"
             for key in keys if key.cap_too_high]  # fmt: skip
    yield from _listing("Cap four times its high days or more", loose)


def _refused(digest: Digest) -> Iterator[Line]:
    """Where a source sees how requests are answered; of the other keys nothing is said."""
    for title, number in _REFUSALS:
        counts = [(number(key.answers), key) for key in digest.single_keys if key.answers and number(key.answers)]
        counts.sort(key=lambda one: -one[0])
        if counts:
            title_all = f"{title}, {count(sum(many for many, _ in counts), 'run')} in all"
            yield from _listing(title_all, [f"{key_name(key)} {many:,}" for many, key in counts])


_REFUSALS: tuple[tuple[str, Callable[[Answers], int]], ...] = (
    ("Cap or balance spent (402)", lambda answers: answers.capped),
    ("Too many at once (429)", lambda answers: answers.throttled),
    ("Key not valid (401)", lambda answers: answers.refused),
)


def _listing(title: str, words: Sequence[str], number: int = 0) -> Iterator[Line]:
    number = number or len(words)
    if number:
        shown = ", ".join(words[:_MOST_NAMES])
        more = number - len(words[:_MOST_NAMES])
        rest = (f" and {more:,} more" if shown else f"{more:,}") if more else ""
        yield line(bold(f"{title}: "), f"{shown}{rest}")


_OUTCOMES = {
    Outcome.STOPPED: "stopped",
    Outcome.CONFIRMED: "confirmed",
    Outcome.EXPECTED: "expected",
    Outcome.FALSE: "no anomaly",
    Outcome.OVER: "over by themselves",
    Outcome.OPEN: "unanswered",
}


def _alerts(digest: Digest) -> Iterator[Line]:
    alerts = [alert for alert in digest.alerts if alert.kind != "safeguard"]
    if not alerts:
        return
    counts = [(words, sum(alert.outcome is outcome for alert in alerts)) for outcome, words in _OUTCOMES.items()]
    said = ", ".join(f"{number} {words}" for words, number in counts if number)
    yield line(bold(f"{count(len(alerts), 'alert')} opened"), f": {said}.")
    told, stopped = ([span for span in spans if span is not None] for spans in _spans(alerts))
    sums = [f"half were told within {span_words(_middle(told))} of the first odd use"] if told else []
    sums += [f"half of the stops took {span_words(_middle(stopped))} from the opening"] if stopped else []
    cost = sum(alert.cost for alert in alerts if alert.cost)
    sums += [f"{credits_about(cost)} credits were lost in all"] if cost else []
    if words_of_all := "; ".join(sums):
        yield line(words_of_all[0].upper(), words_of_all[1:], ".")
    rank = {"critical": 0, "warning": 1}
    alerts.sort(key=lambda alert: (alert.outcome is not Outcome.OPEN, rank.get(alert.severity, 2), alert.opened_at))
    for alert in alerts[:_MOST_ALERTS]:
        yield line(f"{_sign(alert)} {alert.id} ", shorten(visible(alert.title), _TITLE), f" · {_outcome(alert)}")
    if len(alerts) > _MOST_ALERTS:
        yield line(f"and {len(alerts) - _MOST_ALERTS:,} more: ", code("flowy-watch alerts"))


def _small(digest: Digest) -> Iterator[Line]:
    """What was odd and nobody was told of, added up by key."""
    if not digest.small:
        return
    excess: dict[str, Microcredits] = {}
    for one in digest.small:
        name = shorten(visible(one.key_name) or visible(one.key_id), LONGEST)
        excess[name] = excess.get(name, 0) + one.excess
    ranked = sorted(excess.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{name} +{credits_about(amount)}" for name, amount in ranked[:_MOST_NAMES])
    more = f" and {count(len(ranked) - _MOST_NAMES, 'more key')}" if len(ranked) > _MOST_NAMES else ""
    many, whole = count(len(digest.small), "small anomaly", "small anomalies"), credits_about(sum(excess.values()))
    what = f" not told, each too little for an alert, {whole} credits beyond the expected: {named}{more}. "
    yield line(bold(many), what, code("flowy-watch alerts --small"))


def _spans(alerts: Sequence[AlertFigures]) -> tuple[list[timedelta | None], list[timedelta | None]]:
    return [alert.detected_after for alert in alerts], [alert.stopped_after for alert in alerts]


def _sign(alert: AlertFigures) -> str:
    return {"critical": "🔴", "warning": "🟠"}.get(alert.severity, "🔵")


def _outcome(alert: AlertFigures) -> str:
    words = "over by itself" if alert.outcome is Outcome.OVER else _OUTCOMES[alert.outcome]
    if alert.outcome is Outcome.STOPPED and alert.stopped_after:
        words += f" after {span_words(alert.stopped_after)}"
    return words + (f", cost {credits_about(alert.cost)} credits" if alert.cost else "")


def _changes(digest: Digest) -> Iterator[Line]:
    yield from _listing("New", [_named(key) for key in digest.single_keys if key.new])
    yield from _listing("Revoked or expired", [_named(key) for key in digest.single_keys if key.revoked])
    caps = [
        f"{key_name(key)} {_cap(key.cap_before)} → {_cap(key.cap)}"
        for key in digest.single_keys
        if key.cap_changed and key.active
    ]
    yield from _listing("Cap changed", caps)
    for days in (90, 45, 30):
        idle = [key_name(key) for key in digest.single_keys if key.active and key.idle_days == days and not key.spent]
        yield from _listing(f"Unused for {days} days", idle)


def _named(key: KeyFigures) -> str:
    return f"{key_name(key)}{key_tail(key)}" + (f" of {owner_name(key.owner)}" if key.owner else "")


def _cap(cap: Microcredits | None) -> str:
    return "no cap" if cap is None else f"{credits_about(cap)} credits"


def _middle(spans: Sequence[timedelta]) -> timedelta:
    return timedelta(seconds=median(span.total_seconds() for span in spans))
