"""A few threads that make the answers. One that hangs holds up its own place alone, never the program's end."""

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


class Busy(Exception):
    """No worker became free in time."""


class Workers:
    """Daemon threads, unlike those of an executor: the interpreter does not wait for them."""

    def __init__(self, many: int, *, patience: float) -> None:
        """`patience` is how many seconds a request waits for a worker and its answer, together."""
        self._many, self._patience = many, patience
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._unfinished = 0

    def start(self) -> None:
        self._threads = [Thread(target=self._work, name=f"web-{n}", daemon=True) for n in range(self._many)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while job := self._jobs.get():
            job()

    def soon(self, job: Callable[[], None]) -> None:
        """In a worker, when one is free; nobody waits for it, so it must not raise."""
        self._jobs.put(job)

    async def run(self, function: Callable[[], T]) -> T:
        """What `function` comes to, or its exception. Raises Busy when that takes too long."""
        if self._unfinished >= 16 * self._many:
            raise Busy
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._unfinished += 1

        def settle(act: Callable[[Any], None], value: Any) -> None:
            self._unfinished -= 1
            if not answer.done():
                act(value)

        def job() -> None:
            if answer.done():  # nobody waits any more
                loop.call_soon_threadsafe(settle, lambda _: None, None)
                return
            try:
                found, act = function(), answer.set_result
            except BaseException as error:  # noqa: BLE001  # handed over to whoever awaits it
                loop.call_soon_threadsafe(settle, answer.set_exception, error)
            else:
                loop.call_soon_threadsafe(settle, act, found)

        self._jobs.put(job)
        try:
            return await asyncio.wait_for(answer, self._patience)
        except TimeoutError:
            raise Busy from None
