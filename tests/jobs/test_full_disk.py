"""A disk that takes no more: the poll fails as a whole with what to do, and the next one tells what it saw."""

import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from flowy_watch.errors import StoreError
from flowy_watch.store import Store
from tests.builders import MINUTE, NOON, snapshot

from .rigs import Rig


@contextmanager
def full(store: Store) -> Iterator[None]:
    """SQLite never goes below what it has; every connection is limited by itself, and this store has one."""
    for pages in (1, 1_000_000):
        with store.database.engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        if pages == 1:
            yield


@contextmanager
def over_quota(_: Store) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("no_space", "advice"), [(full, "free some disk space"), (over_quota, "look at the disk: its space, its quota")]
)
def test_a_poll_that_cannot_be_written_fails_whole_and_the_next_one_tells_what_it_saw(
    rig: Rig, store: Store, no_space: Callable[[Store], AbstractContextManager[None]], advice: str
) -> None:
    many = [snapshot(0, key_id=f"key_{n}", name=f"service-{n}") for n in range(2, 600)]
    rig.spend(NOON, 10)
    with no_space(store), pytest.raises(StoreError, match=f"{advice}.*; nothing was half written"):
        rig.poll(NOON + MINUTE, snapshot(96, cap=100), *many)
    with store.read() as work:
        assert (work.usage.count()["polls"], work.usage.count()["keys"], work.alerts.all()) == (1, 1, [])

    assert rig.poll(NOON + 2 * MINUTE, snapshot(97, cap=100), *many).outcome == "good"
    assert rig.told() == [("cap", "opened", 95)]
    with store.read() as work:
        assert (work.usage.count()["polls"], work.usage.count()["keys"]) == (2, 599)
