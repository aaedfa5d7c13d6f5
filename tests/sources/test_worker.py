"""One thread, one piece of work after another."""

import threading

import pytest

from flowy_watch.sources.worker import Worker


def test_work_is_done_in_order_by_one_thread_that_never_holds_up_the_end_of_the_program() -> None:
    worker = Worker("test")
    threads = [worker.do(threading.current_thread).result(5) for _ in range(3)]
    worker.end()
    assert len(set(threads)) == 1
    assert threads[0].daemon
    threads[0].join(5)
    assert not threads[0].is_alive()


def test_an_error_is_carried_over_and_the_next_work_is_done() -> None:
    worker = Worker("test")
    with pytest.raises(ZeroDivisionError):
        worker.do(lambda: 1 // 0).result(5)
    assert worker.do(lambda: 7).result(5) == 7
    worker.end()


def test_what_was_given_before_the_end_is_done_and_nothing_is_taken_after_it() -> None:
    worker, go = Worker("test"), threading.Event()
    waiting, last = worker.do(lambda: go.wait(5)), worker.do(lambda: 7)
    worker.end()
    with pytest.raises(RuntimeError):
        worker.do(lambda: 8)
    go.set()
    assert (waiting.result(5), last.result(5)) == (True, 7)


def test_a_worker_that_never_worked_has_no_thread() -> None:
    before = threading.active_count()
    Worker("test").end()
    assert threading.active_count() == before
