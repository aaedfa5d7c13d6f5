"""What a detector is given and what it promises."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

from flowy_watch.core.baseline import HABIT, SIGNS
from flowy_watch.core.finding import Finding, Severity, Small
from flowy_watch.core.habit import is_weekend
from flowy_watch.core.history import History
from flowy_watch.core.hours import Hours
from flowy_watch.core.provenance import Provenance
from flowy_watch.core.sighting import YOUNG, Sightings
from flowy_watch.core.stakes import stakes_of
from flowy_watch.core.surprise import ODD_CUSUM, ODD_HOURS, ODD_SPEND, SPENT, SPENT_CUSUM, Verdict
from flowy_watch.core.usage import ALL_KEYS, CREDIT, Microcredits
from flowy_watch.core.words import SPEND_NOT_KNOWN, credit_words
from flowy_watch.core.workspace import Health, WorkspaceHistory

_WORTH_SAYING = 0.1  # of the daily cap


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What the configuration says about one key."""

    owner: str = ""
    hours: Hours | None = None
    dormant_after: timedelta | None = None
    """None: learned from the key's own rests."""
    sensitivity: float = 1.0
    """How many times the usual share of false alarms is accepted from this key."""
    same_as: tuple[str, ...] = ()
    """What other sources call it: an id, the last four, or a name."""


@dataclass(frozen=True, slots=True)
class View:
    """All that one poll can see: the keys it listed, the workspace, and how well it saw."""

    now: datetime
    histories: Sequence[History]
    """One for each key of this reading; a key that was not listed, or not believed, is not here."""
    workspace: WorkspaceHistory
    health: Health
    rules_of: Callable[[str, str], KeyRules]
    """By key id and name."""
    new_keys: frozenset[str] = frozenset()
    """Ids listed for the first time, in a workspace that was already known."""
    false_alarms_per_month: float = 4.0
    """How many people accept, over all keys together; the workspace's calibration makes a threshold of it."""

    dismissed: Mapping[str, int] = field(default_factory=dict)
    """By key id: how many of its alerts were lately called no anomaly; each halves its share of false alarms."""
    sightings: Mapping[str, Sightings] = field(default_factory=dict)
    """By key id: from where and for what a key was used, where a source sees that."""
    provenance: Mapping[str, Provenance] = field(default_factory=dict)
    """By key id: where its figures come from, where there is anything to say about that."""
    rests_until: timedelta = timedelta(0)
    """No key that lay still for less is dormant or outside its hours, by any of the rules: none need be looked up."""

    def threshold(self, history: History) -> float:
        """The surprise (see `core.surprise`) from which this key's spend is told."""
        latest = history.latest
        sensitivity = self.rules_of(latest.key_id, latest.name).sensitivity
        sensitivity /= 2.0 ** min(self.dismissed.get(latest.key_id, 0), 10)
        return self.workspace.calibration.threshold(self.false_alarms_per_month * sensitivity)

    def seen_before(self, history: History) -> datetime:
        """What was first seen until then is old: some hours ago, or at the poll before if that was still earlier."""
        before, young = history.previous, self.now - YOUNG
        return young if before is None else min(before.taken_at, young)


class Detector(Protocol):
    """A pure rule: the same view gives the same findings. Never raises, whatever the figures are."""

    Config: ClassVar[type]
    """A frozen dataclass of the options, each with its default; the only argument of the constructor."""

    def examine(self, view: View) -> Iterator[Finding]: ...


def about_key(history: History, view: View, kind: str, severity: Severity, title: str, **more: Any) -> Finding:
    """A finding about a key, with its name and the money at stake. `title` follows the name."""
    latest = history.latest
    name = latest.name or latest.key_id
    if latest.spent is None:
        more["evidence"] = (*more.get("evidence", ()), f"S{SPEND_NOT_KNOWN[1:]}.")
    provenance = view.provenance.get(latest.key_id)
    remark, meter_key = (provenance.remark, provenance.fingerprint) if provenance else ("", "")
    # Of all keys together no cap is known, nor one that could stop them.
    stakes = None if latest.key_id == ALL_KEYS else stakes_of(history, view.workspace.balance, remark)
    return Finding(
        kind=kind,
        severity=severity,
        title=f"{name} {title}",
        key_id=latest.key_id,
        key_name=name,
        last_four=latest.last_four,
        stakes=stakes,
        meter_key=meter_key,
        **more,
    )


def beside_usual(history: History, verdict: Verdict, view: View) -> tuple[str, tuple[str, ...], dict[str, str]]:
    """Title, evidence and facts of a finding about spend that is not to be expected."""
    spent, expected = _credits(verdict.actual), _credits(verdict.expected)
    if verdict.hours == 1 and verdict.stream == SPENT:
        span = "in the last hour"
    else:
        since = _full_hour(view.now) - timedelta(hours=verdict.hours)
        span = f"since {since:{_since_when(verdict.hours)}%H:%M} UTC"
    usual = history.baseline.usual(history.hour, verdict.hours)
    lowest, highest = _credits(usual.low), _credits(usual.high)
    if verdict.stream == ODD_HOURS:
        title = f"was used in {verdict.actual:.0f} hours {span} in which it is usually still"
        hours = f"{verdict.expected:.1f} were" if verdict.expected >= 0.05 else "none was"
        evidence = f"{title[0].upper()}{title[1:]}; {hours} to be expected."
    elif verdict.stream in (ODD_SPEND, ODD_CUSUM):
        title = f"spent {spent} credits {span}, at a time when it is usually still"
        evidence = f"{spent} credits in usually still hours {span}; {expected} were to be expected."
    else:
        times = verdict.actual / max(verdict.expected, 0.01)
        far = f"{times:.3g} times the expected" if verdict.expected >= 1 and times < 1000 else "where none was expected"
        title = f"spent {spent} credits {span}, {far}"
        evidence = (
            f"{spent} credits {span}; {usual.when} usually {lowest}–{highest} ({usual.times} times seen), "
            f"{expected} expected."
        )
    if verdict.stream in (SPENT_CUSUM, ODD_CUSUM):
        evidence += " Hour after hour it was more than expected."
    elif history.rhythm.evidence and verdict.hours <= 4:
        evidence += f" It is spent at an even pace, as by a machine: {history.rhythm.run + 1} readings in a row."
    evidence += _signs(history, verdict)
    measure = (
        f"Surprise {verdict.surprise:.1f}; told from {view.threshold(history):.1f}, "
        f"for about {view.false_alarms_per_month:.3g} false alarms a month."
    )
    return title, (evidence, measure), {"spent": spent, "usual": f"{lowest}–{highest}", "span": span}


def small(verdict: Verdict, least: Microcredits) -> Small | None:
    """Whether what a verdict is about comes to less than `least`, and is no alert."""
    excess = verdict.excess * CREDIT
    return None if excess >= least else Small(int(excess), least)


def _signs(history: History, verdict: Verdict) -> str:
    """In words, what speaks for an incident beside how much was spent."""
    said, hour, cap = "", history.hour, history.latest.daily_cap
    if verdict.hours <= HABIT and verdict.stream != SPENT_CUSUM and history.baseline.odd_time(hour):
        used, seen = history.baseline.habit(hour)
        days = "weekends" if is_weekend(hour) else "working days"
        said = f" Around {hour % 24:02d}:00 UTC on {days} it was used in {used} of {seen} hours."
    if cap and verdict.hours <= SIGNS and (share := history.cap_used) >= _WORTH_SAYING:
        said += f" {share:.0%} of its daily cap of {credit_words(cap)} credits is gone."
    return said


def began_at(history: History, verdict: Verdict, view: View) -> datetime:
    """When the odd use that a verdict rests on began, at the earliest."""
    hour = history.hour
    known = verdict.stream in (SPENT_CUSUM, ODD_CUSUM)
    began = hour - verdict.hours if known else history.baseline.began(hour, verdict.hours)
    return _full_hour(view.now) - timedelta(hours=hour - began)


def _full_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _since_when(hours: int) -> str:
    """How a moment so many hours ago is named, before its time."""
    return "" if hours < 24 else "%a " if hours < 6 * 24 else "%d %b "


def _credits(amount: float) -> str:
    """Sums of forecasts are no more exact than this."""
    return credit_words(int(round(amount, 0 if amount >= 10 else 2) * CREDIT))
