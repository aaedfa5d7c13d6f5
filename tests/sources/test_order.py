"""Any number of snapshots come out in the order of time."""

from datetime import timedelta
from random import Random

import pytest

from flowy_watch.core.usage import KeyStatus
from flowy_watch.sources.order import Numbered, Ordered
from tests.builders import HOUR, NOON, snapshot


@pytest.mark.parametrize("files", [1, 2, 64])
def test_what_was_sorted_on_the_disk_comes_out_as_if_sorted_in_memory(files: int) -> None:
    draw = Random(files)
    given = [
        Numbered(
            snapshot(
                draw.random(),
                NOON + timedelta(microseconds=draw.randrange(40)),
                cap=draw.choice([None, 9e12]),
                used=draw.choice([None, NOON]),
                status=draw.choice(list(KeyStatus)),
                name=draw.choice(["", "ünï \U0001f3ac"]),
            ),
            number,
        )
        for number in range(1000)
    ]
    with Ordered(stretch=30, files=files) as ordered:
        for one in given:
            ordered.add(*one)
        assert list(ordered) == sorted(given, key=lambda one: one.snapshot.taken_at)


def test_a_file_in_the_order_of_time_is_one_run() -> None:
    with Ordered(stretch=10) as ordered:
        for hour in range(100):
            ordered.add(snapshot(0, NOON + hour * HOUR), hour)
        assert [one.number for one in ordered] == list(range(100))
        assert len(ordered._runs) == 1
