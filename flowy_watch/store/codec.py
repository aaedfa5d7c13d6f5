"""Values of the core to JSON and back."""

from typing import Any

from pydantic import TypeAdapter

from flowy_watch.core.finding import Finding
from flowy_watch.core.notification import Manner, Notification
from flowy_watch.core.stop import Stop
from flowy_watch.core.wobble import STEADY, Wobble

_FINDING = TypeAdapter(Finding)
_NOTIFICATION = TypeAdapter(Notification)
_STOP = TypeAdapter(Stop)
_WOBBLE = TypeAdapter(Wobble)


def dump_finding(finding: Finding) -> str:
    return _FINDING.dump_json(finding).decode()


def load_finding(text: str) -> Finding:
    return _FINDING.validate_json(text)


def dump_stop(stop: Stop | None) -> str:
    return "" if stop is None else _STOP.dump_json(stop).decode()


def load_stop(text: str) -> Stop | None:
    return _STOP.validate_json(text) if text else None


def dump_wobble(wobble: Wobble) -> str:
    return "" if wobble == STEADY else _WOBBLE.dump_json(wobble).decode()


def load_wobble(text: str) -> Wobble:
    return _WOBBLE.validate_json(text) if text else STEADY


def dump_notification(notification: Notification) -> dict[str, Any]:
    dumped: dict[str, Any] = _NOTIFICATION.dump_python(notification, mode="json")
    return dumped


def load_notification(payload: dict[str, Any]) -> Notification:
    """Raises ValueError for what this version cannot read."""
    if "quiet" in payload:  # as versions before 0.2 wrote it
        manner = Manner.IN_PLACE if payload["quiet"] else Manner.POST
        payload = {"manner": manner, **{name: value for name, value in payload.items() if name != "quiet"}}
    return _NOTIFICATION.validate_python(payload)
