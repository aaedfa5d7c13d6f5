"""What can be wrong with a Flowy that should answer."""

import threading
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum


class FaultKind(StrEnum):
    STATUS = "an error status"
    GARBAGE = "a page that is not JSON"
    TRUNCATED = "a body that ends before its declared length"
    DROP = "the connection closes without an answer"
    HANG = "no answer at all"
    EMPTY_LIST = "a list without keys"
    HALF_LIST = "a first page, and a second one that fails"
    REPEATED_CURSOR = "a next page that is always the same"
    FROZEN = "the answers of when it began"


@dataclass(frozen=True, slots=True)
class Fault:
    """`times` is how many requests it spoils, None for all until it is lifted."""

    kind: FaultKind
    status: int = 500
    retry_after: timedelta | None = None
    times: int | None = None


def failing(status: int = 500, *, retry_after: timedelta | None = None, times: int | None = None) -> Fault:
    return Fault(FaultKind.STATUS, status=status, retry_after=retry_after, times=times)


class Faults:
    """Set and lifted at any time, from any thread; `date_skew` is how wrong the server's clock is in `Date`.

    `usage` spoils the usage contract's calls, `public` the documented ones.
    """

    def __init__(self) -> None:
        self.date_skew = timedelta(0)
        self._lock = threading.Lock()
        self._usage: Fault | None = None
        self._public: Fault | None = None

    @property
    def usage(self) -> Fault | None:
        return self._usage

    @usage.setter
    def usage(self, fault: Fault | FaultKind | None) -> None:
        with self._lock:
            self._usage = Fault(fault) if isinstance(fault, FaultKind) else fault

    @property
    def public(self) -> Fault | None:
        return self._public

    @public.setter
    def public(self, fault: Fault | FaultKind | None) -> None:
        with self._lock:
            self._public = Fault(fault) if isinstance(fault, FaultKind) else fault

    def take_usage(self) -> Fault | None:
        """The fault of the next request, counted."""
        with self._lock:
            fault, self._usage = self._usage, _spent(self._usage)
            return fault

    def take_public(self) -> Fault | None:
        with self._lock:
            fault, self._public = self._public, _spent(self._public)
            return fault

    def clear(self) -> None:
        with self._lock:
            self._usage = self._public = None
            self.date_skew = timedelta(0)


def _spent(fault: Fault | None) -> Fault | None:
    if fault is None or fault.times is None:
        return fault
    return replace(fault, times=fault.times - 1) if fault.times > 1 else None
