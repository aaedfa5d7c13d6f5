"""What `new_origin` and `new_app` have in common: how much of it is told, how loud, and in which words."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.history import History
from flowy_watch.core.sighting import Novelty, Sighting
from flowy_watch.core.usage import CREDIT, clean_name
from flowy_watch.core.words import credit_words, span_words
from flowy_watch.detectors.base import View, about_key

_APART = 3  # so many at once are an alert each
_NAMED = 5
_LEAST = 10 * CREDIT  # where no more than this can be lost it is for the record alone
_LONGEST = 60  # letters of what comes from outside


@dataclass(frozen=True, slots=True)
class Unseen:
    """The words of one kind."""

    title: str
    titles: str
    used: str
    known: str
    one: str
    many: str


def told(view: View, kind: str, novelty: Callable[[History, View], Novelty | None], words: Unseen) -> Iterator[Finding]:
    """A finding for each new one; one for all of a key where many came at once."""
    for history in view.histories:
        if history.latest.key_id not in view.sightings:
            continue
        found = novelty(history, view)
        if found is None or not found.new:
            continue
        together = [found.new] if len(found.new) > _APART else [(one,) for one in found.new]
        for new in together:
            yield _finding(history, view, kind, words, new, found.known)


def _finding(
    history: History, view: View, kind: str, words: Unseen, new: tuple[Sighting, ...], known: tuple[Sighting, ...]
) -> Finding:
    first = new[0]
    what = _short(first.what)
    runs = sum(one.runs for one in new)
    severity, why = _severity(history, view)
    title = words.title if len(new) == 1 else words.titles
    evidence = [f"{_used(one, words)}: {_runs(one)}." for one in new[:_NAMED]]
    if len(new) > _NAMED:
        evidence.append(f"And {len(new) - _NAMED} more, {runs} runs in all.")
    names = ", ".join(_short(one.what) for one in reversed(known[-_NAMED:]))
    if known:
        count = words.one if len(known) == 1 else words.many.format(count=len(known))
        evidence.append(words.known.format(count=count, names=names))
    since = view.sightings[history.latest.key_id].since
    evidence.append(f"The key has been seen for {span_words(view.now - since)}.{why}")
    return about_key(
        history,
        view,
        kind,
        severity,
        title.format(what=what, count=len(new)),
        period=first.what if len(new) == 1 else "several",
        level=2 if severity is Severity.CRITICAL else 1,
        suspicious_only=severity is not Severity.CRITICAL,
        evidence=tuple(evidence),
        facts={"what": what, "agent": _short(first.agent), "since": first.first_at.isoformat(), "runs": str(runs)},
        began_at=first.first_at,
    )


def _severity(history: History, view: View) -> tuple[Severity, str]:
    """By what else is odd about the key now, and by what can be lost with it."""
    verdict, latest = history.verdict, history.latest
    if verdict is not None and verdict.surprise >= view.threshold(history):
        return Severity.CRITICAL, " It also spends more than is usual at this time."
    bounds = [value for value in (latest.daily_cap, view.workspace.balance) if value is not None]
    if bounds and min(bounds) < _LEAST:
        return Severity.INFO, f" No more than {credit_words(max(min(bounds), 0))} credits a day can be lost with it."
    return Severity.WARNING, ""


def _used(one: Sighting, words: Unseen) -> str:
    agent = f" ({_short(one.agent)})" if one.agent else ""
    return words.used.format(what=_short(one.what), agent=agent, since=_utc(one.first_at))


def _runs(one: Sighting) -> str:
    many = "no run" if not one.runs else "1 run" if one.runs == 1 else f"{one.runs:,} runs"
    return f"{many}, the latest use at {_utc(one.last_at)}"


def _short(text: str) -> str:
    text = clean_name(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
