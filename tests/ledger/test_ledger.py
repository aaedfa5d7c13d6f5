"""What passed through the meter is kept, added up and told apart; blocks and prices reach every process."""

import sqlite3
from datetime import UTC, date, datetime, timedelta

import pytest

from flowy_watch.errors import NotFound, StoreError
from flowy_watch.ledger import (
    OTHER,
    Batch,
    Block,
    Counts,
    Ledger,
    Price,
    PriceSource,
    UseStatus,
    bucket_of,
    fingerprint_of,
)
from flowy_watch.ledger.batch import KeySeen, RunEnded, RunStarted, Seen
from flowy_watch.ledger.writing import MOST_APPS, MOST_ORIGINS

SECRET = "flw_sk_0123456789abcdefghijWXYZ"
KEY = fingerprint_of(SECRET)
NOON = datetime(2026, 11, 24, 12, 2, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "meter.db", busy_seconds=0.1)
    yield ledger
    ledger.close()


def batch(at=NOON, *, key=KEY, app="poster", refused=False, also=None, **counts):
    use = KeySeen(at, "WXYZ", used_at=None if refused else at, refused_at=at if refused else None)
    return Batch({(key, bucket_of(at), app): Counts(**counts)}, {key: use}, **(also or {}))


def seen(at, runs=1):
    return Seen(at, at, requests=1, runs=runs)


def test_a_fingerprint_is_what_sha256sum_prints():
    assert fingerprint_of("abc") == "ba7816bf8f01cfea"


def test_batches_of_one_key_add_up_over_apps_and_buckets(ledger):
    ledger.add(batch(requests=3, runs=2, spent=2_000_000))
    ledger.add(batch(requests=1, runs=1, spent=1_000_000))
    ledger.add(batch(NOON + 10 * MINUTE, app="reel", requests=5, answers_402=4))
    [key] = ledger.keys(date(2026, 11, 24))
    assert key.counts == Counts(requests=9, runs=3, spent=3_000_000, answers_402=4)
    assert (key.fingerprint, key.last_four, key.first_seen_at) == (KEY, "WXYZ", NOON)
    assert key.last_used_at == NOON + 10 * MINUTE


def test_no_bucket_holds_a_midnight(ledger):
    midnight = datetime(2026, 11, 25, tzinfo=UTC)
    ledger.add(batch(midnight - timedelta(milliseconds=1), requests=1))
    ledger.add(batch(midnight, requests=10))
    days = [ledger.keys(day)[0].counts.requests for day in (date(2026, 11, 24), date(2026, 11, 25))]
    assert days == [1, 10]
    assert [each.started_at for each in ledger.five_minutes(midnight - MINUTE * 5, midnight + MINUTE)] == [
        midnight - 5 * MINUTE,
        midnight,
    ]


def test_a_key_that_was_good_and_then_gets_401_is_refused_until_it_works_again(ledger):
    told = []
    for minute, refused in enumerate((True, False, True, False)):
        ledger.add(batch(NOON + minute * MINUTE, refused=refused, requests=1))
        told.append(ledger.keys(NOON.date())[0].status)
    assert told == [UseStatus.UNKNOWN, UseStatus.ACTIVE, UseStatus.REFUSED, UseStatus.ACTIVE]


def test_a_run_ends_once_however_often_its_end_is_told(ledger):
    ledger.add(batch(runs=1, also={"runs": {"r1": RunStarted(KEY, "poster", NOON)}}))
    for minute in (1, 2):
        ledger.add(Batch(outcomes={"r1": RunEnded("failed", NOON + minute * MINUTE)}))
    ledger.add(Batch(outcomes={"of somebody else": RunEnded("completed", NOON)}))
    assert ledger.keys(NOON.date())[0].counts == Counts(runs=1, failed=1)


def test_runs_are_counted_between_two_instants(ledger):
    runs = {f"r{n}": RunStarted(KEY, "poster" if n % 2 else "reel", NOON + n * MINUTE) for n in range(6)}
    ledger.add(batch(runs=6, also={"runs": runs}))
    assert ledger.runs_between(NOON + MINUTE, NOON + 4 * MINUTE) == {"poster": 2, "reel": 1}


def test_apps_and_origins_are_told_with_first_and_last_sight(ledger):
    for at in (NOON, NOON + MINUTE):
        sights = {"apps": {(KEY, "poster"): seen(at)}, "origins": {(KEY, "10.0.0.0/24", "curl"): seen(at, runs=0)}}
        ledger.add(batch(also=sights))
    [app], [origin] = ledger.apps(), ledger.origins()
    assert (app.app_id, app.first_seen_at, app.last_seen_at, app.runs) == ("poster", NOON, NOON + MINUTE, 2)
    assert (origin.address, origin.user_agent, origin.requests, origin.runs) == ("10.0.0.0/24", "curl", 2, 0)
    assert (origin.first_seen_at, origin.last_seen_at) == (NOON, NOON + MINUTE)


def test_origins_and_apps_of_a_key_are_bounded_and_none_that_is_known_is_lost(ledger):
    origins = {(KEY, f"10.0.{n // 250}.{n % 250}", "curl"): seen(NOON) for n in range(MOST_ORIGINS + 20)}
    apps = {(KEY, f"app{n}"): seen(NOON) for n in range(MOST_APPS + 20)}
    ledger.add(batch(also={"origins": origins, "apps": apps}))
    ledger.add(batch(also={"origins": {(KEY, "10.0.0.0", "curl"): seen(NOON)}}))
    told = {origin.address: origin.requests for origin in ledger.origins()}
    assert (len(told), told[OTHER], told["10.0.0.0"]) == (MOST_ORIGINS + 1, 20, 2)
    assert {app.app_id: app.runs for app in ledger.apps()}[OTHER] == 20


def test_what_could_not_be_written_is_taken_in_by_the_next_batch(ledger):
    first = batch(requests=2, also={"origins": {(KEY, "::1", ""): seen(NOON)}})
    first.take_in(batch(NOON + MINUTE, requests=3, also={"origins": {(KEY, "::1", ""): seen(NOON + MINUTE)}}))
    first.take_in(batch(NOON + 2 * MINUTE, refused=True, requests=1))
    ledger.add(first)
    [key], [origin] = ledger.keys(NOON.date()), ledger.origins()
    assert (key.counts.requests, key.last_used_at, key.last_refused_at) == (6, NOON + MINUTE, NOON + 2 * MINUTE)
    assert (origin.requests, origin.last_seen_at) == (2, NOON + MINUTE)


def test_a_block_is_seen_by_another_process_that_asks_for_the_version(ledger, tmp_path):
    other = Ledger(tmp_path / "meter.db")
    before = ledger.version()
    assert ledger.version() == before
    other.block(KEY, by="ana", why="leaked", now=NOON)
    other.block(KEY, by="ben", why="me too", now=NOON + MINUTE)
    assert ledger.version() != before
    assert ledger.blocks() == (Block(KEY, NOON, "ana", "leaked"),)
    ledger.unblock(KEY)
    with pytest.raises(NotFound, match="not blocked"):
        ledger.unblock(KEY)
    other.close()


def test_a_configured_price_is_not_replaced_by_a_learned_one(ledger):
    learned = [Price(app, 3, 2, 4, PriceSource.LEARNED) for app in ("poster", "reel")]
    ledger.learn_prices(learned)
    ledger.configure_prices({"poster": 7})
    ledger.learn_prices(learned)
    assert ledger.prices() == (Price("poster", 7, 7, 7, PriceSource.CONFIGURED), learned[1])
    ledger.configure_prices({})
    assert ledger.prices() == (learned[1],)


def test_the_file_is_its_owners_alone_and_holds_no_secret(ledger):
    ledger.add(batch(requests=1))
    files = list(ledger.path.parent.iterdir())
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert not any(SECRET.encode() in file.read_bytes() for file in files)


def test_old_counts_and_keys_nobody_accepted_are_pruned(ledger):
    ledger.add(batch(requests=1, also={"runs": {"r1": RunStarted(KEY, "poster", NOON)}}))
    ledger.add(batch(key="f" * 16, refused=True, requests=1))
    ledger.prune(NOON + timedelta(days=8))
    assert [key.fingerprint for key in ledger.keys(NOON.date())] == [KEY]
    ledger.prune(NOON + timedelta(days=36))
    assert [key.counts for key in ledger.keys(NOON.date())] == [Counts()]
    assert ledger.runs_between(NOON, NOON + MINUTE) == {}


def test_a_sum_beyond_what_a_column_holds_is_an_error_and_changes_nothing(ledger):
    with pytest.raises(StoreError, match="too large"):
        ledger.add(batch(spent=2**63))
    ledger.add(batch(spent=1))
    assert ledger.keys(NOON.date())[0].counts.spent == 1


def test_a_file_that_is_moved_away_is_begun_anew(ledger, tmp_path):
    ledger.add(batch(requests=1))
    for file in list(tmp_path.iterdir()):
        file.rename(tmp_path / f"old-{file.name}")
    ledger.add(batch(requests=2))
    assert ledger.keys(NOON.date())[0].counts.requests == 2


def test_what_cannot_be_opened_or_written_is_a_clear_error(ledger, tmp_path):
    with pytest.raises(StoreError, match="folder"):
        Ledger(tmp_path / "nowhere" / "meter.db").keys(NOON.date())
    (tmp_path / "text.db").write_text("no database " * 1000)
    with pytest.raises(StoreError, match="name another file"):
        Ledger(tmp_path / "text.db").blocks()
    ledger.add(batch(requests=1))
    holder = sqlite3.connect(ledger.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        ledger.add(batch(requests=1))
    holder.close()
    ledger.add(batch(requests=1))
    assert ledger.keys(NOON.date())[0].counts.requests == 2


@pytest.mark.parametrize(
    ("statement", "words"), [("PRAGMA user_version = 99", "upgrade"), ("CREATE TABLE x (y)", "something else")]
)
def test_a_newer_ledger_and_another_database_are_left_alone(tmp_path, statement, words):
    file = tmp_path / "other.db"
    other = sqlite3.connect(file)
    other.execute(statement)
    other.close()
    with pytest.raises(StoreError, match=words):
        Ledger(file).blocks()
