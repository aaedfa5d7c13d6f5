"""One listed item, believed or not."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowy_watch.core.usage import CREDIT, MOST, KeyStatus, Skipped, Snapshot
from flowy_watch.sources.columns import KeyColumns
from flowy_watch.sources.contract import FieldOptions
from flowy_watch.sources.fields import TWICE, KeyFields, balance_to_micro
from flowy_watch.sources.texts import last_four

from .server import NOON, key

TOLERANCE = timedelta(minutes=5)
MANDATORY = ("spentToday", "dailySpendCap", "lastUsedAt", "status")
SECRET = "flw_sk_live_9f8e7d6c5b4a"


def read(*items: Any, **expressions: str) -> tuple[tuple[Snapshot, ...], tuple[Skipped, ...]]:
    """What both ways of reading say, which is the same."""
    fields, columns = KeyFields(FieldOptions(**expressions)), KeyColumns(FieldOptions(**expressions))
    carefully = fields.snapshots(items, NOON, latest=NOON + TOLERANCE)
    assert repr(columns.snapshots(items, NOON, latest=NOON + TOLERANCE)) == repr(carefully)
    return carefully


def one(**changes: Any) -> Snapshot:
    (snapshot,), skipped = read(key(**changes))
    assert not skipped
    return snapshot


def reason(**changes: Any) -> str:
    snapshots, (skipped,) = read(key(**changes))
    assert not snapshots
    assert skipped.key_id == "key_1"
    return skipped.reason


def test_every_field_of_the_contract_is_read() -> None:
    assert one(rateLimitPerMinute=60) == Snapshot(
        key_id="key_1",
        name="prod-1",
        taken_at=NOON,
        spent=12_500_000,
        last_used_at=datetime(2026, 3, 10, 11, 59, tzinfo=UTC),
        daily_cap=100 * CREDIT,
        status=KeyStatus.ACTIVE,
        rate_limit=60,
        created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        last_four="0001",
    )


def test_null_means_no_cap_never_used_and_the_default_limit() -> None:
    snapshot = one(dailySpendCap=None, lastUsedAt=None, rateLimitPerMinute=None)
    assert (snapshot.daily_cap, snapshot.last_used_at, snapshot.rate_limit) == (None, None, None)


@pytest.mark.parametrize("name", MANDATORY)
def test_an_absent_field_is_not_taken_for_null(name: str) -> None:
    assert reason(**{name: ...}) == f"{name} is missing"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("spentToday", None, "spentToday is null, not a number"),
        ("spentToday", True, "spentToday is true/false, not a number"),
        ("spentToday", "12.5", "spentToday is text, not a number; map it with to_number(spentToday)"),
        ("spentToday", float("nan"), "not an amount"),
        ("spentToday", float("inf"), "not an amount"),
        ("spentToday", float("-inf"), "not an amount"),
        ("spentToday", -0.01, "not an amount"),
        ("spentToday", MOST // CREDIT + 1, "not an amount"),
        ("spentToday", 10**400, "not an amount"),
        ("spentToday", [], "spentToday is a list, not a number"),
        ("dailySpendCap", "100", "map it with to_number(dailySpendCap)"),
        ("dailySpendCap", -1, "not an amount"),
        ("dailySpendCap", False, "true/false"),
        ("lastUsedAt", 1_773_143_940, "lastUsedAt is not a time in ISO 8601"),
        ("lastUsedAt", "yesterday", "lastUsedAt is not a time in ISO 8601"),
        ("lastUsedAt", "2026-03-10", "lastUsedAt is a day, not a time"),
        ("lastUsedAt", "0001-01-01T00:00:00Z", "lastUsedAt is before the year 2000"),
        ("lastUsedAt", "0001-01-01T00:00:00+05:00", "lastUsedAt is not a time"),
        ("lastUsedAt", "2026-03-10T12:05:01Z", "lastUsedAt is in the future"),
        ("status", "paused", "status is none of active, revoked, expired"),
        ("status", None, "status is none of"),
        ("status", True, "status is none of"),
        ("status", {}, "status is none of"),
        ("rateLimitPerMinute", "60", "rateLimitPerMinute is not a number of requests"),
        ("rateLimitPerMinute", True, "rateLimitPerMinute is not"),
        ("rateLimitPerMinute", -1, "rateLimitPerMinute is not"),
        ("rateLimitPerMinute", 0.5, "rateLimitPerMinute is not"),
    ],
)
def test_a_field_that_cannot_be_believed_skips_its_key_with_a_reason(field: str, value: Any, said: str) -> None:
    assert said in reason(**{field: value})


@pytest.mark.parametrize(
    ("status", "read_as"),
    [("revoked", KeyStatus.REVOKED), ("expired", KeyStatus.EXPIRED), ("ACTIVE", KeyStatus.ACTIVE)],
)
def test_the_three_words_of_status_are_known_in_any_case(status: str, read_as: KeyStatus) -> None:
    assert one(status=status).status is read_as


@pytest.mark.parametrize(
    "written", ["2026-03-10T11:59:00", "2026-03-10T11:59:00Z", "2026-03-10T13:59:00+02:00", "2026-03-10 11:59:00+00:00"]
)
def test_a_time_is_read_as_utc_with_or_without_its_zone(written: str) -> None:
    assert one(lastUsedAt=written).last_used_at == datetime(2026, 3, 10, 11, 59, tzinfo=UTC)


def test_a_last_use_within_the_tolerance_of_clocks_is_believed() -> None:
    assert one(lastUsedAt="2026-03-10T12:05:00Z").last_used_at == NOON + TOLERANCE


@pytest.mark.parametrize("value", [7, None, [], {}, True, ...])
def test_a_descriptive_field_that_is_wrong_is_left_empty_and_skips_nothing(value: Any) -> None:
    snapshot = one(name=value, prefix=value, createdAt=value)
    assert (snapshot.name, snapshot.last_four, snapshot.created_at) == ("", "", None)


def test_a_name_is_cleaned_and_an_empty_one_stays_empty() -> None:
    assert one(name=" a\u202eb\nc ").name == "ab c"
    assert one(name=f"mine {SECRET}").name == "mine [hidden]"
    assert one(name="").name == ""


@pytest.mark.parametrize(
    ("hint", "kept"),
    [
        ("flw_sk_…9f3c", "9f3c"),
        ("flw_sk_9f3c…", "9f3c"),
        ("flowy_…ab", "ab"),
        ("flowy_pk_****-7Xy9", "7Xy9"),
        (SECRET, "5b4a"),
        ("...1234", "1234"),
        ("flw_sk_", ""),
        ("production", ""),
        ("", ""),
    ],
)
def test_no_more_than_four_characters_of_a_hint_are_kept(hint: str, kept: str) -> None:
    assert last_four(hint) == kept


@given(st.text())
def test_whatever_the_hint_at_most_four_letters_or_digits_remain(hint: str) -> None:
    kept = last_four(hint)
    assert len(kept) <= 4
    assert kept == "" or (kept.isascii() and kept.isalnum())


def test_nothing_of_a_secret_is_remembered_between_pulls() -> None:
    columns = KeyColumns(FieldOptions())
    columns.snapshots([key(id=SECRET, name=SECRET, prefix=SECRET), key(2)], NOON, latest=NOON)
    assert SECRET not in repr([*columns._ids, *columns._names, *columns._times, *columns._fours])
    assert list(columns._fours) == [key(2)["prefix"]]


def test_ids_are_text_or_whole_numbers() -> None:
    (snapshot,), _ = read(key(id=42))
    assert snapshot.key_id == "42"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "id is empty"),
        ("\u200b\u202e", "id is empty"),
        (None, "id is not text"),
        (True, "id is not text"),
        (1.5, "id is not text"),
        (..., "id is missing"),
        ("k" * 201, "id is longer than 200 characters"),
    ],
)
def test_a_key_without_a_usable_id_is_skipped_by_its_place_in_the_list(value: Any, said: str) -> None:
    assert read(key(1), key(2, id=value))[1] == (Skipped("(item 2)", said),)


def test_an_id_with_the_shape_of_a_secret_is_replaced_by_a_part_of_its_digest() -> None:
    (snapshot,), _ = read(key(id=SECRET))
    assert snapshot.key_id == "key-" + hashlib.sha256(SECRET.encode()).hexdigest()[:16]


def test_an_item_that_is_no_object_is_skipped() -> None:
    assert read(key(1), 7)[1] == (Skipped("(item 2)", "is not an object"),)


def test_a_key_listed_twice_alike_counts_once() -> None:
    snapshots, skipped = read(key(1), key(2), key(1))
    assert ([s.key_id for s in snapshots], skipped) == (["key_1", "key_2"], ())


def test_a_key_listed_twice_with_different_figures_is_skipped() -> None:
    snapshots, skipped = read(key(1), key(2), key(1, spentToday=13), key(1))
    assert ([s.key_id for s in snapshots], skipped) == (["key_2"], (Skipped("key_1", TWICE),))


def test_a_key_listed_once_well_and_once_badly_is_skipped() -> None:
    snapshots, skipped = read(key(1), key(1, spentToday=None))
    assert snapshots == ()
    assert [s.key_id for s in skipped] == ["key_1"]


def test_a_field_that_is_not_offered_is_left_out() -> None:
    bare = {"id": "key_1", "spentToday": 1}
    offers = {n: "" for n in FieldOptions.model_fields if n not in ("id", "spent_today")}
    assert read(bare, **offers)[0] == (Snapshot("key_1", "", NOON, CREDIT),)


def test_fields_can_be_mapped_by_any_expression() -> None:
    item = {"key": {"uid": "k"}, "usage": [{"credits": "2.5"}], "limits": {"day": "9"}} | {"revokedAt": "2026-01-01"}
    (snapshot,), skipped = read(
        item,
        id="key.uid",
        spent_today="to_number(usage[0].credits)",
        daily_cap="to_number(limits.day)",
        status="revokedAt && 'revoked' || 'active'",
        last_used_at="",
    )
    assert (snapshot.spent, snapshot.daily_cap, snapshot.status) == (2_500_000, 9 * CREDIT, KeyStatus.REVOKED)
    assert skipped == ()


def test_an_expression_over_an_absent_field_does_not_say_that_there_is_no_cap() -> None:
    expressions = {"daily_cap": "to_number(dailySpendCap)"}
    assert read(key(dailySpendCap=None), **expressions)[0][0].daily_cap is None
    assert read(key(dailySpendCap=...), **expressions)[1][0].reason == "to_number(dailySpendCap) is missing"


def test_a_dotted_path_tells_null_from_absent() -> None:
    cap = {"daily_cap": "limits.day"}
    assert read(key(limits=None), **cap)[0][0].daily_cap is None
    assert read(key(limits={"day": None}), **cap)[0][0].daily_cap is None
    assert read(key(limits={}), **cap)[1][0].reason == "limits.day is missing"
    assert read(key(limits=3), **cap)[1][0].reason == "limits.day is missing"


def test_an_expression_that_fails_on_a_value_skips_only_that_key() -> None:
    snapshots, skipped = read(key(1), key(2, spentToday={}), spent_today="abs(spentToday)")
    assert [s.key_id for s in snapshots] == ["key_1"]
    assert skipped == (Skipped("key_2", "abs(spentToday) cannot be applied to what is there"),)


def test_an_expression_that_fails_on_a_descriptive_field_leaves_it_empty() -> None:
    wrong = {"name": "abs(name)", "prefix": "abs(prefix)", "created_at": "abs(createdAt)"}
    (snapshot,), skipped = read(key(1), **wrong)
    assert (snapshot.name, snapshot.last_four, snapshot.created_at, skipped) == ("", "", None, ())


def test_a_creation_in_the_future_is_not_believed() -> None:
    assert one(createdAt="9999-12-31T23:59:59Z").created_at is None


def test_a_rate_limit_written_as_a_fraction_is_a_whole_number() -> None:
    limit = one(rateLimitPerMinute=60.0).rate_limit
    assert (limit, type(limit)) == (60, int)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowy_watch.sources.texts._REMEMBERED", 10)
    fields = KeyFields(FieldOptions())
    fields.snapshots([key(n) for n in range(100)], NOON, latest=NOON)
    assert len(fields.ids) <= 10


@pytest.mark.parametrize(("left", "micro"), [(0, 0), (-2.5, -2_500_000), (-3, -3 * CREDIT), (1.5, 1_500_000)])
def test_a_balance_may_be_a_debt(left: float, micro: int) -> None:
    assert balance_to_micro(left) == micro


@pytest.mark.parametrize("left", [None, "5", True, float("nan"), float("-inf"), -(10**30), 10**30])
def test_an_absurd_balance_is_refused(left: Any) -> None:
    with pytest.raises(ValueError):
        balance_to_micro(left)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([SECRET, "2026-03-10T12:00Z"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MAPPINGS: list[dict[str, str]] = [
    {},
    {"spent_today": "to_number(spentToday)", "daily_cap": "max(dailySpendCap)", "status": "status.word"},
    {"spent_today": "sum(spentToday)", "last_used_at": "sort_by(lastUsedAt, &at)[0].at", "id": "join('-', id)"},
    {
        "name": "name[].x | [0]",
        "created_at": "keys(createdAt)[0]",
        "prefix": "reverse(prefix)",
        "rate_limit": "avg(rateLimitPerMinute)",
    },
]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(list(key())), json_values), st.sampled_from(MAPPINGS), st.booleans())
def test_no_value_in_any_field_raises_or_yields_a_figure_that_is_none(
    changes: dict[str, Any], mapping: dict[str, str], alone: bool
) -> None:
    items = [key(1, **changes)] if alone else [key(2), key(1, **changes), {"id": changes}]
    snapshots, skipped = read(*items, **mapping)
    assert not {s.key_id for s in snapshots} & {s.key_id for s in skipped}
    for snapshot in snapshots:
        assert type(snapshot.spent) is int
        assert 0 <= snapshot.spent <= MOST
        assert snapshot.daily_cap is None or (type(snapshot.daily_cap) is int and 0 <= snapshot.daily_cap <= MOST)
        assert SECRET not in json.dumps([snapshot.key_id, snapshot.name, snapshot.last_four])
    assert all(SECRET not in repr(one) for one in skipped)
