"""Values of the core to JSON and back."""

import zlib
from base64 import b64decode, b64encode
from dataclasses import replace
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from flowy_watch.core.edition import Issue
from flowy_watch.core.finding import Finding
from flowy_watch.core.message import Written
from flowy_watch.core.notification import Manner, Notification
from flowy_watch.core.stop import Stop
from flowy_watch.core.wobble import STEADY, Wobble

_FINDING = TypeAdapter(Finding)
_NOTIFICATION = TypeAdapter(Notification)
_ISSUE = TypeAdapter(Issue)
_BYTES = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
_WRITTEN: TypeAdapter[Written | None] = TypeAdapter(Written | None, config=_BYTES)
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
    """A digest is packed: every recipient has one, and of 10,000 keys it would be five megabytes."""
    dumped: dict[str, Any] = _NOTIFICATION.dump_python(replace(notification, issue=None), mode="json")
    if notification.issue is not None:
        dumped["issue"] = b64encode(zlib.compress(_ISSUE.dump_json(notification.issue))).decode()
    return dumped


def load_notification(payload: dict[str, Any]) -> Notification:
    """Raises ValueError for what this version cannot read."""
    if "quiet" in payload:  # as versions before 0.2 wrote it
        manner = Manner.IN_PLACE if payload["quiet"] else Manner.POST
        payload = {"manner": manner, **{name: value for name, value in payload.items() if name != "quiet"}}
    if isinstance(packed := payload.get("issue"), str):
        payload = payload | {"issue": _unpacked(packed)}
    return _NOTIFICATION.validate_python(payload)


def dump_written(written: Written) -> bytes:
    return zlib.compress(_WRITTEN.dump_json(written))


def load_written(packed: bytes) -> Written | None:
    """Raises ValueError for what this version cannot read."""
    try:
        return _WRITTEN.validate_json(zlib.decompress(packed))
    except zlib.error as error:
        raise ValueError(f"a packed message cannot be read ({error})") from error


def _unpacked(packed: str) -> Issue:
    try:
        return _ISSUE.validate_json(zlib.decompress(b64decode(packed, validate=True)))
    except zlib.error as error:
        raise ValueError(f"a packed digest cannot be read ({error})") from error
