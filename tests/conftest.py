"""What every test begins with."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
import structlog
from hypothesis import settings
from sqlalchemy import Connection

from flowy_watch.store import Store, migrations

settings.register_profile("untimed", deadline=None)  # how long an example takes says more of the machine than of it
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Branch coverage is counted by the plain tests, in their own process: the hundreds of examples of a property would
    take four times as long under it, and whole daemons twice, to visit the same lines again."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False) or item.get_closest_marker("slow"):
            item.add_marker("no_cover")


@pytest.fixture(autouse=True)
def every_line_is_heard() -> Iterator[None]:
    """Whatever level a command that another test ran in this process configured."""
    before = structlog.get_config()
    structlog.reset_defaults()
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
def schema(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The statements that the real migrations leave behind, once per process."""
    file = tmp_path_factory.mktemp("schema") / "watch.db"
    store = Store(f"sqlite:///{file}")
    store.migrate()
    store.close()
    with closing(sqlite3.connect(file)) as connection:
        return list(connection.iterdump())[1:-1]  # without BEGIN and COMMIT


@pytest.fixture(autouse=True)
def migrations_run_once(monkeypatch: pytest.MonkeyPatch, schema: list[str]) -> None:
    """Alembic takes a quarter of a second for a new database, and hundreds of tests make one: they get its result.
    tests/store, where migrations are tested, runs them."""
    upgrade = migrations.upgrade

    def replay(connection: Connection, revision: str) -> None:
        if connection.dialect.name != "sqlite" or connection.exec_driver_sql("SELECT 1 FROM sqlite_master").first():
            upgrade(connection, revision)
            return
        for statement in schema:
            connection.exec_driver_sql(statement)

    monkeypatch.setattr(migrations, "upgrade", replay)
