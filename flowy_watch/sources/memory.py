"""What the probe knows between polls, in a file of its own: times and counters, no key."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson

from flowy_watch.core.usage import KeyStatus
from flowy_watch.sources.quota import Asked, moment
from flowy_watch.sources.runs import Runs

_LARGEST = 16 * 1024 * 1024


@dataclass(slots=True)
class KeySeen:
    """What is known of one key."""

    asked: Asked = field(default_factory=Asked)
    status: KeyStatus = KeyStatus.ACTIVE
    answered_at: datetime | None = None
    used_at: datetime | None = None
    """The last poll that saw others use it."""

    def answer(self, status: KeyStatus, at: datetime, *, used_at: datetime | None = None) -> None:
        self.status, self.answered_at = status, at
        self.used_at = used_at or self.used_at

    def dump(self) -> dict[str, object]:
        """As JSON can hold it, for `load`."""
        return {
            "asked": self.asked.dump(),
            "status": self.status.value,
            "answered_at": self.answered_at and self.answered_at.isoformat(),
            "used_at": self.used_at and self.used_at.isoformat(),
        }

    @classmethod
    def load(cls, state: Mapping[str, object]) -> "KeySeen":
        """Raises KeyError, TypeError or ValueError when it is none of ours."""
        asked, status = state["asked"], state["status"]
        if not isinstance(asked, dict) or not isinstance(status, str):
            raise TypeError
        return cls(Asked.load(asked), KeyStatus(status), moment(state["answered_at"]), moment(state["used_at"]))


@dataclass(slots=True)
class Memory:
    """Mutable, like what it holds. A file that cannot be read is as if there were none."""

    keys: dict[str, KeySeen] = field(default_factory=dict)
    """By fingerprint."""
    runs: Runs = field(default_factory=Runs)
    trouble: str = ""
    """Why the last save failed; then the next start begins anew."""

    @property
    def kept(self) -> bool:
        return not self.trouble

    def of(self, key_id: str) -> KeySeen:
        return self.keys.setdefault(key_id, KeySeen())

    def save(self, path: Path) -> None:
        """Whole or not at all, for this user's eyes only."""
        content = {"keys": {key_id: seen.dump() for key_id, seen in self.keys.items()}, "runs": self.runs.dump()}
        new = path.with_name(f".{path.name}.new")
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(orjson.dumps(content))
            new.replace(path)
        except OSError as error:
            self.trouble = f"cannot write {path} ({error.strerror}); set source.memory"
        else:
            self.trouble = ""

    @classmethod
    def load(cls, path: Path) -> "Memory":
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
            with path.open("rb") as file:
                state = orjson.loads(file.read(_LARGEST))
            keys = {str(key_id): KeySeen.load(seen) for key_id, seen in state["keys"].items()}
            return cls(keys, Runs.load(state["runs"]))
        return cls()
