"""What a detector is given and what it promises."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.history import History
from flowy_watch.core.hours import Hours
from flowy_watch.core.stakes import stakes_of
from flowy_watch.core.workspace import Health, WorkspaceHistory


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What the configuration says about one key."""

    owner: str = ""
    hours: Hours | None = None
    dormant_after: timedelta = timedelta(days=30)


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


class Detector(Protocol):
    """A pure rule: the same view gives the same findings. Never raises, whatever the figures are."""

    Config: ClassVar[type]
    """A frozen dataclass of the options, each with its default; the only argument of the constructor."""

    def examine(self, view: View) -> Iterator[Finding]: ...


def about_key(history: History, view: View, kind: str, severity: Severity, title: str, **more: Any) -> Finding:
    """A finding about a key, with its name and the money at stake. `title` follows the name."""
    latest = history.latest
    name = latest.name or latest.key_id
    return Finding(
        kind=kind,
        severity=severity,
        title=f"{name} {title}",
        key_id=latest.key_id,
        key_name=name,
        last_four=latest.last_four,
        stakes=stakes_of(history, view.workspace.balance),
        **more,
    )
