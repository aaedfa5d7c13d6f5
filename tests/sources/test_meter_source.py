"""What the ledger says, as a poll reads it."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from flowy_watch.core.provenance import Figure, Sure
from flowy_watch.core.sighting import Sighting
from flowy_watch.core.usage import Answers, KeyStatus, Reading, Snapshot
from flowy_watch.errors import SourceError
from flowy_watch.ledger import NO_KEY, OTHER, Batch, Counts, Ledger, Price, PriceSource, bucket_of
from flowy_watch.ledger.batch import KeySeen, Seen
from flowy_watch.sources.meter import MeterSource
from tests.builders import DAY, HOUR, MINUTE, NOON, credit

KEY = "ba7816bf8f01cfea"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "meter.db"


def write(path: Path, *batches: Batch) -> None:
    ledger = Ledger(path)
    for batch in batches:
        ledger.add(batch)
    ledger.close()


def used(*, key: str = KEY, at=NOON, name: str = "render", refused: bool = False, app: str = "poster", **counts):  # type: ignore[no-untyped-def]
    seen = KeySeen(at, "9f8e", name, used_at=None if refused else at, refused_at=at if refused else None)
    return Batch({(key, bucket_of(at), app): Counts(**counts)}, {key: seen})


def pull(path: Path, at=NOON) -> Reading:  # type: ignore[no-untyped-def]
    source = MeterSource(MeterSource.Config(ledger=path, busy=timedelta(seconds=0.1)))
    try:
        return source.pull(at)
    finally:
        source.close()


def test_a_key_is_its_counts_of_the_utc_day(path: Path) -> None:
    write(path, used(at=NOON - DAY, runs=9, spent=credit(90)), used(at=NOON - HOUR, runs=2, spent=credit(20)))

    (snapshot,) = pull(path).snapshots

    assert snapshot == Snapshot(KEY, "render", NOON, credit(20), NOON - HOUR, created_at=NOON - DAY, last_four="9f8e")


def test_a_key_without_a_name_is_called_by_its_last_four(path: Path) -> None:
    write(path, used(name=""))
    assert pull(path).snapshots[0].name == "key …9f8e"


def test_a_key_that_was_good_and_now_gets_401_is_revoked(path: Path) -> None:
    write(path, used(at=NOON - HOUR), used(at=NOON - MINUTE, refused=True, answers_401=1))
    assert [s.status for s in pull(path).snapshots] == [KeyStatus.REVOKED]


def test_who_was_never_accepted_is_no_key_of_ours(path: Path) -> None:
    write(path, used(refused=True), used(key=NO_KEY), used(key=OTHER))
    assert pull(path).snapshots == ()


def test_refusals_count_whoever_refused(path: Path) -> None:
    write(path, used(answers_401=1, answers_402=2, answers_429=3, stopped_401=10, stopped_402=20, stopped_429=30))
    assert pull(path).answers == {KEY: Answers(11, 22, 33)}


@pytest.mark.parametrize(("unpriced", "sure"), [(0, Sure.BY_PRICE), (1, Sure.LEAST)])
def test_spend_is_by_price_and_the_least_where_an_app_has_none(path: Path, unpriced: int, sure: Sure) -> None:
    write(path, used(runs=5, unpriced=unpriced))

    provenance = pull(path).provenance[KEY]

    assert provenance.spent
    assert (provenance.spent.source, provenance.spent.sure) == ("meter", sure)
    assert provenance.ids == {"meter": KEY}
    assert Figure.BALANCE not in provenance.figures


def test_sightings_are_by_key_and_leave_out_what_is_beyond_the_bounds(path: Path) -> None:
    long_ago, seen = NOON - 30 * DAY, Seen(NOON - HOUR, NOON, 3, 2)
    batch = used(at=long_ago)
    batch.origins = {(KEY, "10.0.0.1", "curl"): seen, (KEY, OTHER, OTHER): seen, ("never", "10.0.0.9", ""): seen}
    batch.apps = {(KEY, "poster"): seen, (KEY, OTHER): seen}
    write(path, batch)

    (sightings,) = pull(path).sightings.values()

    assert sightings.since == long_ago
    assert sightings.origins == (Sighting("10.0.0.1", NOON - HOUR, NOON, 2, "curl"),)
    assert sightings.apps == (Sighting("poster", NOON - HOUR, NOON, 2),)


def test_a_hash_is_marked_as_one_and_a_socket_named(path: Path) -> None:
    batch, seen = used(), Seen(NOON, NOON, 1, 1)
    batch.origins = {(KEY, "a1b2c3d4e5f6", ""): seen, (KEY, "", ""): seen}
    write(path, batch)

    assert {one.what for one in pull(path).sightings[KEY].origins} == {"#a1b2c3d4e5f6", "a local socket"}


def test_a_missing_ledger_is_said_and_not_made(path: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no ledger at .*; start `flowy-watch meter`"):
        pull(path)
    assert not path.exists()


def test_a_ledger_with_nonsense_in_it_is_said_in_one_line(path: Path) -> None:
    write(path, used())
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE key SET used_ms = 'yesterday'")
    connection.close()

    with pytest.raises(SourceError, match="holds what no meter wrote"):
        pull(path)


def test_reading_goes_on_while_another_process_writes(path: Path) -> None:
    write(path, used())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    assert len(pull(path).snapshots) == 1
    other.close()


def test_check_names_apps_that_run_without_a_price(path: Path) -> None:
    write(path, used(at=NOON - HOUR, app="video", runs=1, unpriced=1))
    source = MeterSource(MeterSource.Config(ledger=path))

    before = [(line.ok, line.detail) for line in source.check(NOON)]
    ledger = Ledger(path)
    ledger.learn_prices([Price("video", 1, 1, 1, PriceSource.LEARNED)])
    ledger.close()

    assert before == [
        (True, "1 key; last used 60 min ago"),
        (False, "video ran today without a price: their runs count as 0 credits; set meter.prices"),
    ]
    assert all(line.ok for line in source.check(NOON))
    source.close()
