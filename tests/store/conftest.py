"""Every test runs over both databases, each time over a fresh one."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flowy_watch.store import Store

from .postgres import PROGRAMS, Server, running

Open = Callable[[], Store]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    if not PROGRAMS:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must have a PostgreSQL server installed")
        pytest.skip("no PostgreSQL server is installed")
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_server(server: Server) -> str:
    """The name of a migrated database, for others to be made like it."""
    name = server.fresh()
    store = Store(server.url(name))
    store.migrate()
    store.close()
    return name


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("migrated") / "watch.db"
    store = Store(f"sqlite:///{file}")
    store.migrate()
    store.close()
    return file


@pytest.fixture
def migrations_run_once() -> None:
    """Not here: these tests are what the others' shortcut rests on."""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql"))])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty_url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'watch.db'}"
        return
    server: Server = request.getfixturevalue("server")
    name = server.fresh()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    if backend == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "watch.db")
        yield f"sqlite:///{tmp_path / 'watch.db'}"
        return
    server: Server = request.getfixturevalue("server")
    name = server.fresh(like=request.getfixturevalue("migrated_server"))
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def open_store(url: str) -> Iterator[Open]:
    """Another program's view of the same database; closed at the end."""
    with ExitStack() as stack:

        def open_store() -> Store:
            store = Store(url)
            stack.callback(store.close)
            return store

        yield open_store


@pytest.fixture
def store(open_store: Open) -> Store:
    return open_store()


@pytest.fixture
def sqlite_store(tmp_path: Path, migrated_file: Path) -> Iterator[Store]:
    shutil.copy(migrated_file, tmp_path / "only.db")
    store = Store(f"sqlite:///{tmp_path / 'only.db'}")
    yield store
    store.close()
