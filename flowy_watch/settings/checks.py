"""What single values may be: durations, zones, addresses, hours. Each raises ValueError that holds no value."""

import re
from collections.abc import Callable
from datetime import time as clock_time
from datetime import timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, SecretStr

from flowy_watch.core.finding import Severity
from flowy_watch.core.hours import Hours
from flowy_watch.settings.refusal import one_of

_DURATION = re.compile(r"([0-9]{1,9})\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=36_500)  # beyond this it is a mistake, and no date could be reckoned with it


def parse_duration(text: str) -> timedelta:
    """`90s`, `15m`, `24h`, `30d`, `2w`. Raises ValueError that does not repeat `text`."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ValueError("must be a duration with its unit, such as 90s, 15m, 24h, 30d or 2w")
    # The number is tested first: a timedelta of that many weeks may not exist.
    if int(match[1]) * timedelta(**{_UNITS[match[2]]: 1}).total_seconds() > _LONGEST.total_seconds():
        raise ValueError("must be a duration of less than a hundred years")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError("must name a time zone, such as Europe/Madrid") from None
    return text


def web_address(text: str) -> str:
    try:
        url = urlsplit(text)
        complete = url.scheme in ("http", "https") and bool(url.hostname)
    except ValueError:
        complete = False
    if not complete:
        raise ValueError("must be a whole address, beginning with https:// or http://")
    return text


def secret_address(url: SecretStr) -> SecretStr:
    web_address(url.get_secret_value())
    return url


def listen_address(text: str) -> str:
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not host.strip("[]") or (":" in host and not bracketed) or not re.fullmatch("[0-9]{1,5}", port):
        raise ValueError("must be an address and a port, such as 127.0.0.1:8420 or [::1]:8420")
    if int(port) > 65535:
        raise ValueError("must have a port of at most 65535")
    return text


def hours(text: str) -> str:
    if text:
        Hours.parse(text)
    return text


def quiet_hours(text: str) -> str:
    if text:
        Hours.parse_daily(text)
    return text


def severity(value: object) -> Severity:
    if isinstance(value, Severity):
        return value
    found = next((s for s in Severity if isinstance(value, str) and s.word == value.lower()), None)
    if found is None:
        raise ValueError(f"must be {one_of(s.word for s in Severity)}")
    return found


def time_of_day(value: clock_time) -> clock_time:
    if value.tzinfo:
        raise ValueError("must be a time of day without a zone; the zone stands in digest.timezone")
    return value


def lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def if_set(check: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(lambda text: check(text) if text else text)
