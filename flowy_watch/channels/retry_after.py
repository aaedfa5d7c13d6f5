"""The other side's wish to be left alone for a while."""

from datetime import timedelta
from email.utils import parsedate_to_datetime

LONGEST = timedelta(days=7)  # beyond this the header is a mistake, and an alert must not wait for it


def retry_after(value: str | None, date: str | None = None) -> timedelta | None:
    """The pause a `Retry-After` header asks for; None when it is missing or makes no sense.

    It comes in seconds or as an instant, which counts from the `Date` of the same response: no clock of ours is
    needed, and a wrong one does no harm.
    """
    if not value:
        return None
    if value.strip().isdecimal():
        return _sane(timedelta(seconds=int(value.strip()[:9])))
    try:
        return _sane(parsedate_to_datetime(value) - parsedate_to_datetime(date or ""))
    except (ValueError, TypeError):
        return None


def _sane(pause: timedelta) -> timedelta | None:
    return pause if timedelta(0) <= pause <= LONGEST else None
