"""The schema: made once, by the tables, and never older than the program thinks."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlmodel import SQLModel

from flowy_watch.errors import StoreError
from flowy_watch.store import Store
from flowy_watch.store.engine import SCHEMA
from tests.builders import NOON


def tables_of(store: Store) -> set[str]:
    return set(inspect(store.database.engine).get_table_names())


def test_migrating_makes_every_table_and_a_second_time_changes_nothing(empty_url: str) -> None:
    store = Store(empty_url)
    store.migrate()
    made = tables_of(store)
    with store.write() as work:
        work.usage.add_poll(NOON, "good")

    store.migrate()

    assert made == {*SQLModel.metadata.tables, "alembic_version"} == tables_of(store)
    with store.read() as work:
        assert work.usage.count()["polls"] == 1
    store.close()


def test_two_programs_may_migrate_an_empty_database_one_after_the_other(empty_url: str) -> None:
    first, second = Store(empty_url), Store(empty_url)
    first.migrate()
    second.migrate()
    with second.read() as work:
        assert work.usage.count()["polls"] == 0
    first.close()
    second.close()


def test_a_database_of_a_newer_version_is_refused_with_what_to_do(store: Store) -> None:
    with store.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=f"has schema 9999, this flowy-watch knows up to {SCHEMA}: upgrade"):
        store.migrate()


def test_the_migrations_make_exactly_the_tables_of_the_code(sqlite_store: Store) -> None:
    with sqlite_store.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_a_missing_folder_is_an_error_that_says_what_to_check(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'nowhere' / 'watch.db'}")
    with pytest.raises(StoreError, match="check that the folder exists and can be written"):
        store.migrate()
    with pytest.raises(StoreError, match="check the folder's permissions"), store.database.watching():
        pass
    store.close()


def test_a_folder_in_place_of_the_database_is_told_as_that(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}")
    with pytest.raises(StoreError, match=r"it is a folder; name a file in store\.url$"):
        store.migrate()
    store.close()


@pytest.mark.parametrize("url", ["", "watch.db", "oracle9://x", "mysql+nothing://u:hunter2secret@h/db"])
def test_a_url_that_names_no_database_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(StoreError, match=r"store\.url is not a database") as refused:
        Store(url)
    assert "hunter2secret" not in str(refused.value)


def test_a_server_that_does_not_answer_is_an_error_without_its_password(tmp_path: Path) -> None:
    store = Store(f"postgresql+psycopg://watch:hunter2secret@/db?host={tmp_path}")
    with pytest.raises(StoreError, match="check that it is running and reachable") as refused:
        store.migrate()
    assert "hunter2secret" not in str(refused.value)
    store.close()


def test_a_file_that_is_no_database_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "watch.db").write_text("this is a letter and not a database" * 100)
    store = Store(f"sqlite:///{tmp_path / 'watch.db'}")
    with pytest.raises(StoreError, match="not a database"):
        store.migrate()
    store.close()


def test_sqlite_waits_for_the_disk_and_checks_foreign_keys(sqlite_store: Store) -> None:
    with sqlite_store.database.read() as connection:
        pragmas = [connection.execute(text(f"PRAGMA {p}")).scalar() for p in ("journal_mode", "synchronous")]
        assert pragmas == ["wal", 2]
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
