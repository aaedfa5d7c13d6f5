"""What one alert makes needless or impossible to say about another."""

from collections.abc import Callable, Iterable

from flowy_watch.core.alert import Alert, Status
from flowy_watch.core.finding import Finding, Severity

CAP_SPENT = 100  # per cent

Knowable = Callable[[Finding], bool]
"""Whether this poll could have seen the problem (see `alert.Evaluated`)."""


class Inhibitors:
    """The unresolved alerts that hold back others."""

    def __init__(self, unresolved: Iterable[Alert], knowable: Knowable) -> None:
        self._spikes: dict[str, Alert] = {}
        self._blind: Alert | None = None
        self._knowable = knowable
        for alert in unresolved:
            finding = alert.finding
            if alert.status is Status.RESOLVED:
                continue
            if finding.kind == "blind":
                self._blind = alert
            told = alert.told_level >= alert.level
            if finding.kind == "spike" and finding.severity is Severity.CRITICAL and finding.key_id and told:
                self._spikes[finding.key_id] = alert

    def of(self, alert: Alert) -> Alert | None:
        """The told, critical spike of the same key to whose story a cap alert belongs.

        A cap that is spent is told all the same: that runs are refused from now on is news, whatever spent it.
        """
        finding = alert.finding
        if finding.kind != "cap" or alert.level >= CAP_SPENT:
            return None
        return self._spikes.get(finding.key_id or "")

    def blind_to(self, alert: Alert) -> Alert | None:
        """The alert which says that nothing new can be known of this one: reminders of it wait."""
        blind = self._blind
        if blind is None or alert.finding.kind == "blind":
            return None
        frozen = blind.finding.facts.get("what") == "frozen"
        return blind if frozen or not self._knowable(alert.finding) else None
