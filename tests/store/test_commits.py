"""Seeing cheaply that somebody wrote."""

from contextlib import closing

import pytest

from flowy_watch.core.alert import Change
from flowy_watch.core.notification import Notification
from flowy_watch.errors import StoreError
from flowy_watch.store import Store
from tests.builders import NOON, opened

from .conftest import Open


def test_a_commit_of_anybody_is_seen_once(open_store: Open) -> None:
    mine, other = open_store(), open_store()
    with closing(mine.commits()) as commits:
        assert commits.moved()
        assert not commits.moved()
        for store in (mine, other):
            with store.write() as work:
                (made,) = work.alerts.record([opened(id=0, period=str(id(store)))])
                work.outbox.add([Notification("ops", Change.OPENED, made.alert, NOON)])
            assert commits.moved()
            assert not commits.moved()


def test_what_cannot_be_asked_is_our_own_error_and_may_be_asked_again() -> None:
    store = Store("sqlite:////nowhere/at/all.db")
    with closing(store.commits()) as commits:
        for _ in range(2):
            with pytest.raises(StoreError, match="at/all"):
                commits.moved()
    store.close()
