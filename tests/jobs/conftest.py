"""A fresh, migrated SQLite file for every test. No power fails here: nothing waits for the disk."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flowy_watch.store import Store

from .rigs import Rig, hasty


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("migrated") / "watch.db"
    store = Store(f"sqlite:///{file}")
    store.migrate()
    store.close()
    return file


@pytest.fixture
def open_store(migrated: Path, tmp_path: Path) -> Iterator[Callable[..., Store]]:
    with ExitStack() as stack:

        def open_store(name: str = "watch.db") -> Store:
            file = tmp_path / name
            if not file.exists():
                shutil.copy(migrated, file)
            store = hasty(Store(f"sqlite:///{file}"))
            stack.callback(store.close)
            return store

        yield open_store


@pytest.fixture
def store(open_store: Callable[..., Store]) -> Store:
    return open_store()


@pytest.fixture
def rig(store: Store) -> Rig:
    return Rig(store)
