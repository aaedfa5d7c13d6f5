"""A poll comes first: pages wait while it works, though not for one that hangs."""

from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from flowy_watch.core.usage import Reading
from tests.builders import reading, snapshot

from .house import House


class Slow:
    """A source in whose middle somebody asks for a page."""

    def __init__(self, house: House, path: str, patience: float) -> None:
        self._house, self._path, self._patience = house, path, patience
        self.answers: list[int] = []
        self.answered_meanwhile = False

    def pull(self, now: datetime) -> Reading:
        self.asking = Thread(target=lambda: self.answers.append(self._house.client().get(self._path).status_code))
        self.asking.start()
        self.asking.join(self._patience)
        self.answered_meanwhile = bool(self.answers)
        return reading(snapshot(1, now), at=now)

    def check(self, now: datetime) -> list[Any]:
        return []

    def close(self) -> None:
        pass


def polled(house: House, path: str, *, patience: float) -> Slow:
    source = Slow(house, path, patience)
    house.app.poll._source = source
    house.app.poll.run(house.clock.now())
    source.asking.join()
    assert source.answers == [200]
    return source


def test_a_page_is_answered_after_the_poll_that_works(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        assert house.client().get("/sign-in").status_code == 200
        assert not polled(house, "/sign-in", patience=0.15).answered_meanwhile


def test_a_poll_that_hangs_does_not_hold_pages_up(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        assert polled(house, "/sign-in", patience=20).answered_meanwhile


def test_health_is_answered_at_once_while_a_poll_works_and_pages_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowy_watch.jobs.poll._GIVEN", 60.0)
    with House(tmp_path) as house:
        waiting = Thread(target=lambda: house.client().get("/sign-in"))
        house.app.poll._step_begins()
        waiting.start()
        assert house.client().get("/healthz").text == "ok\n"
        assert waiting.is_alive()
        house.app.poll._idle.set()
        waiting.join(20)
        assert not waiting.is_alive()
