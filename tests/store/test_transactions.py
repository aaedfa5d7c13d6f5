"""One transaction per use case: all of it or nothing, and one writer at a time."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from flowy_watch.errors import AlreadyRunning, StoreError
from flowy_watch.store import Store
from tests.builders import MINUTE, NOON, opened, reading, snapshot


def write_polls(url: str, first: int) -> None:
    """Another process: ten transactions that each read before they write."""
    store = Store(url)
    for n in range(first, first + 10):
        with store.write() as work:
            numbers = work.usage.numbers()
            poll_id = work.usage.add_poll(NOON + n * MINUTE, "good")
            work.usage.add_snapshots(poll_id, reading(snapshot(n), at=NOON + n * MINUTE), numbers)
    store.close()


def write_and_fail(store: Store) -> None:
    with store.write() as work:
        work.usage.add_poll(NOON, "good")
        work.alerts.record([opened(id=0)])
        raise ZeroDivisionError


def open_the_same_alert_twice(store: Store) -> None:
    with store.write() as work:
        work.usage.add_poll(NOON, "good")
        work.alerts.record([opened(id=0)])
        work.alerts.record([opened(id=0)])


def test_an_exception_in_a_transaction_undoes_all_of_it(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        write_and_fail(store)
    with store.read() as work:
        assert (work.usage.count()["polls"], work.alerts.all()) == (0, [])


def test_a_refused_row_undoes_all_of_its_transaction_and_the_next_one_works(store: Store) -> None:
    with pytest.raises(StoreError):
        open_the_same_alert_twice(store)
    with store.write() as work:
        assert work.usage.count()["polls"] == 0
        work.usage.add_poll(NOON, "good")
    with store.read() as work:
        assert work.usage.count()["polls"] == 1


def test_two_processes_that_write_wait_for_each_other(url: str, store: Store) -> None:
    spawn = get_context("spawn")
    writers = [spawn.Process(target=write_polls, args=(url, first)) for first in (0, 100)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    with store.read() as work:
        assert work.usage.count()["snapshots"] == 20


def test_threads_that_write_wait_for_each_other(url: str, store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: write_polls(url, n * 100), range(4)))
    with store.read() as work:
        assert work.usage.count()["polls"] == 40


def test_a_reader_does_not_wait_for_a_writer_and_does_not_see_what_is_not_committed(store: Store) -> None:
    with store.write() as writing:
        writing.usage.add_poll(NOON, "good")
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(count_polls, store).result(timeout=10) == 0
    assert count_polls(store) == 1


def count_polls(store: Store) -> int:
    with store.read() as work:
        return work.usage.count()["polls"]


def test_a_database_is_watched_by_one_daemon_at_a_time(open_store: Callable[[], Store]) -> None:
    first, second = open_store(), open_store()
    with (
        first.database.watching(),
        pytest.raises(AlreadyRunning, match="another flowy-watch already watches"),
        second.database.watching(),
    ):
        pass
    with second.database.watching():
        pass


def test_a_daemon_that_ends_by_an_error_lets_the_next_one_watch(open_store: Callable[[], Store]) -> None:
    first, second = open_store(), open_store()
    with pytest.raises(ZeroDivisionError), first.database.watching():
        raise ZeroDivisionError
    with second.database.watching():
        pass


def test_watching_holds_up_no_writer(open_store: Callable[[], Store]) -> None:
    first, second = open_store(), open_store()
    with first.database.watching(), second.write() as work:
        assert work.usage.add_poll(NOON, "good") == 1


def test_a_backup_never_overwrites_a_file(sqlite_store: Store, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("precious")
    with pytest.raises(StoreError, match="exists; name a new file"):
        sqlite_store.database.backup(tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "precious"


def test_a_file_that_is_no_database_or_is_broken_says_what_to_do(sqlite_store: Store, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_text("hello, this is no database at all\n" * 40)
    with pytest.raises(StoreError, match=r"file is not a database; fix store\.url, or restore a backup"):
        Store(f"sqlite:///{other}").migrate()
    sqlite_store.close()
    assert sqlite_store.database.path
    with sqlite_store.database.path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 20_000)
    with pytest.raises(StoreError, match="malformed; restore a backup"), sqlite_store.read() as work:
        work.usage.count()


def test_only_its_owner_reads_a_new_database_and_its_backup(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/watch.db")
    before = os.umask(0)
    try:
        store.migrate()
        with store.write() as work:
            work.usage.add_poll(NOON, "good")
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
        store.database.backup(tmp_path / "copy.db")
    finally:
        os.umask(before)
        store.close()

    assert modes == {"watch.db": 0o600, "watch.db-shm": 0o600, "watch.db-wal": 0o600}
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


def test_a_backup_holds_what_was_committed_while_others_read(sqlite_store: Store, tmp_path: Path) -> None:
    with sqlite_store.write() as work:
        work.usage.add_poll(NOON, "good")
    with sqlite_store.read() as reading_beside:
        assert reading_beside.usage.last_poll_id() == 1
        sqlite_store.database.backup(tmp_path / "copy.db")
    copy = Store(f"sqlite:///{tmp_path / 'copy.db'}")
    copy.migrate()
    assert count_polls(copy) == 1
    copy.close()


def test_a_store_that_made_a_backup_still_undoes_what_fails(sqlite_store: Store, tmp_path: Path) -> None:
    sqlite_store.database.backup(tmp_path / "copy.db")
    with pytest.raises(ZeroDivisionError):
        write_and_fail(sqlite_store)
    with sqlite_store.write() as work:
        work.usage.add_poll(NOON, "good")
    assert count_polls(sqlite_store) == 1
