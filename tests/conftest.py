"""What every test begins with."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest
import structlog
from hypothesis import settings
from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket
from sqlalchemy import Connection

from flowy_watch.store import Store, migrations

settings.register_profile("untimed", deadline=None)  # how long an example takes says more of the machine than of it
settings.load_profile("untimed")


class Compiled(BytecodeCache):
    """Templates, compiled once per process: each app has an environment of its own, for which it takes 0.1 s."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


COMPILED = Compiled()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Branch coverage, which doubles what a test costs, is counted by the plain tests in their own process, and by the
    first three of a test with many parameters: the hundreds of examples of a property visit the same lines again."""
    seen: Counter[str] = Counter()
    for item in items:
        function = item.nodeid.partition("[")[0]
        seen[function] += 1
        many = seen[function] > 3
        if many or getattr(getattr(item, "obj", None), "is_hypothesis_test", False) or item.get_closest_marker("slow"):
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


@pytest.fixture(autouse=True)
def templates_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowy_watch.render.environment.Environment", partial(Environment, bytecode_cache=COMPILED))
