"""Values of the core to JSON and back."""

from typing import Any

from pydantic import TypeAdapter

from flowy_watch.core.finding import Finding
from flowy_watch.core.notification import Manner, Notification

_FINDING = TypeAdapter(Finding)
_NOTIFICATION = TypeAdapter(Notification)


def dump_finding(finding: Finding) -> str:
    return _FINDING.dump_json(finding).decode()


def load_finding(text: str) -> Finding:
    return _FINDING.validate_json(text)


def dump_notification(notification: Notification) -> dict[str, Any]:
    dumped: dict[str, Any] = _NOTIFICATION.dump_python(notification, mode="json")
    return dumped


def load_notification(payload: dict[str, Any]) -> Notification:
    """Raises ValueError for what this version cannot read."""
    if "quiet" in payload:  # as versions before 0.2 wrote it
        manner = Manner.IN_PLACE if payload["quiet"] else Manner.POST
        payload = {"manner": manner, **{name: value for name, value in payload.items() if name != "quiet"}}
    return _NOTIFICATION.validate_python(payload)
