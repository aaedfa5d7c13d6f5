"""A poll comes first: pages wait while it works, though not for one that hangs."""

from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any

from flowy_watch.core.usage import Reading
from tests.builders import reading, snapshot

from .house import House


class Slow:
    """A source in whose middle somebody asks for a page."""

    def __init__(self, house: House, patience: float) -> None:
        self._house, self._patience = house, patience
        self.answers: list[int] = []
        self.answered_meanwhile = False

    def pull(self, now: datetime) -> Reading:
        self.asking = Thread(target=lambda: self.answers.append(self._house.client().get("/healthz").status_code))
        self.asking.start()
        self.asking.join(self._patience)
        self.answered_meanwhile = bool(self.answers)
        return reading(snapshot(1, now), at=now)

    def check(self, now: datetime) -> list[Any]:
        return []

    def close(self) -> None:
        pass


def polled(house: House, *, patience: float) -> Slow:
    source = Slow(house, patience)
    house.app.poll._source = source
    house.app.poll.run(house.clock.now())
    source.asking.join()
    assert source.answers == [200]
    return source


def test_a_page_is_answered_after_the_poll_that_works(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        assert house.client().get("/healthz").status_code == 200
        assert not polled(house, patience=0.15).answered_meanwhile


def test_a_poll_that_hangs_does_not_hold_pages_up(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        assert polled(house, patience=20).answered_meanwhile
