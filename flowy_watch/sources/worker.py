"""A thread that does one piece of work after another, so that its caller can stop waiting."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

_Work = tuple[Future[Any], Callable[[], Any]]


class Worker:
    """Starts with its first work, and ends after the work that was given before `end`.

    Unlike an executor of the standard library it never holds up the end of the program.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue: SimpleQueue[_Work | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._state = "new"

    def do(self, work: Callable[[], T]) -> Future[T]:
        """Raises RuntimeError after `end`."""
        outcome: Future[T] = Future()
        with self._lock:  # nothing may be queued behind the end: nobody would do it
            if self._state == "ended":
                raise RuntimeError(f"{self._name} has ended")
            if self._state == "new":
                threading.Thread(target=_run, args=(self._queue,), name=self._name, daemon=True).start()
                self._state = "started"
            self._queue.put((outcome, work))
        return outcome

    def end(self) -> None:
        with self._lock:
            self._state = "ended"
            self._queue.put(None)


def _run(queue: "SimpleQueue[_Work | None]") -> None:
    while (given := queue.get()) is not None:
        outcome, work = given
        with suppress(InvalidStateError):  # cancelled: nobody waits for it any more
            try:
                outcome.set_result(work())
            except InvalidStateError:
                raise
            except BaseException as error:  # noqa: BLE001  # carried over to the thread that waits for it
                outcome.set_exception(error)
        del given, outcome, work  # else the last answer would be kept until the next poll
