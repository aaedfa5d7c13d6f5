"""What somebody asks to be done, checked: the same for forms and for the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from flowy_watch.core.alert import LIVES
from flowy_watch.core.usage import Microcredits, clean_name, credits_to_micro
from flowy_watch.settings import parse_duration
from flowy_watch.web.visit import Refusal

_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """Fields by name, as a form or a JSON object brought them. Each getter raises Refusal in words for the person."""

    fields: Mapping[str, object]
    now: datetime

    def text(self, name: str) -> str:
        value = self._raw(name)
        return " ".join(clean_name(value[i : i + 200]) for i in range(0, min(len(value), _LONGEST), 200)).strip()

    def flag(self, name: str) -> bool:
        value = self.fields.get(name, False)
        if isinstance(value, bool):
            return value
        if value in ("on", "yes", "true", "1"):
            return True
        if value in ("", "no", "false", "0"):
            return False
        raise Refusal(422, f"{name} must be true or false.")

    def end(self, *, needed: bool) -> datetime | None:
        """The instant that `for` (a duration) or `until` (ISO 8601) names."""
        span, until = self._raw("for"), self._raw("until")
        if span and until:
            raise Refusal(422, "Give for or until, not both.")
        if span:
            try:
                end = self.now + parse_duration(span)
            except (ValueError, OverflowError) as error:
                raise Refusal(422, f"for {error}.") from None
        elif until or "until" in self.fields:
            try:
                end = datetime.fromisoformat(until)
                end = (end if end.tzinfo else end.replace(tzinfo=UTC)).astimezone(UTC)
            except (ValueError, OverflowError):
                raise Refusal(422, "until must be ISO 8601, such as 2026-11-27T18:00Z.") from None
        elif needed:
            raise Refusal(422, "This needs an end: for (such as 24h) or until (ISO 8601).")
        else:
            return None
        if end <= self.now:
            raise Refusal(422, "The end lies in the past.")
        return end

    def _raw(self, name: str) -> str:
        value = self.fields.get(name, "")
        if not isinstance(value, str):
            raise Refusal(422, f"{name} must be text.")
        return value

    def pattern(self, name: str) -> str:
        return self._naming(name, "a key's name or id; * matches anything")

    def metered(self) -> str:
        """The one key that the meter is to refuse or to let through."""
        return self._naming("key", "its name, id, fingerprint or last four characters")

    def _naming(self, name: str, how: str) -> str:
        found = self.text(name)
        if not found:
            raise Refusal(422, f"{name} is missing: {how}.")
        return found

    def kind(self) -> str:
        kind = self.text("kind")
        if kind and kind not in LIVES:
            raise Refusal(422, f"kind must be one of {', '.join(LIVES)}.")
        return kind

    def credits(self) -> Microcredits | None:
        value = self.fields.get("credits")
        if value is None or value == "":
            return None
        try:
            return credits_to_micro(float(value) if isinstance(value, str) else value)  # type: ignore[arg-type]
        except (ValueError, TypeError, OverflowError):
            raise Refusal(422, "credits must be an amount, such as 5000.") from None


def number(text: str, *, most: int = 2**62) -> int:
    """A number of ours from a path. Raises Refusal: what is none names nothing."""
    if not text.isascii() or not text.isdigit() or len(text) > 19 or not 1 <= int(text) <= most:
        raise Refusal(404, "There is no such number.")
    return int(text)
