"""Reading by columns comes to exactly what reading item by item comes to."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowy_watch.core.usage import MOST, Skipped
from flowy_watch.sources import columns as columns_module
from flowy_watch.sources.columns import KeyColumns
from flowy_watch.sources.contract import FieldOptions
from flowy_watch.sources.fields import KeyFields

from .server import NOON, key
from .test_fields import SECRET, TOLERANCE

HOSTILE: dict[str, list[Any]] = {
    "id": ["key_1", "key_2", "key_2 ", 7, True, 1.5, None, "", "k" * 201, SECRET, [], 10**5000, "a\u202eb"],
    "name": ["prod", " a\u202eb ", f"mine {SECRET}", None, 3, {}, "a\ud800b"],
    "prefix": ["flw_sk_…a1b2", SECRET, "flw_sk_a1", "…", None, 4, "no hint"],
    "status": ["active", "revoked", "EXPIRED", " Active ", "paused", None, True, {}],
    "createdAt": ["2026-01-02T03:04:05Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "?", None, 5, []],
    "lastUsedAt": ["2026-03-10T11:59:00Z", "2026-03-10T12:05:00Z", "2026-03-10T12:05:01Z", "2026-03-10", None, 1, ""],
    "dailySpendCap": [100, 0.1, 0, None, -1, True, "9", float("nan"), float("inf"), MOST, 10**400, 9e12, []],
    "rateLimitPerMinute": [60, 60.0, None, 0, -1, True, 10**9 + 1, 0.5, "60"],
    "spentToday": [12.5, 3, -0.0, 1e-7, -1e-9, None, True, "3", float("nan"), float("-inf"), 9e12, 9 * 10**12 + 1, {}],
}
MAPPINGS = [
    {},
    {"daily_cap": "", "status": "", "rate_limit": "", "name": "", "prefix": "", "created_at": "", "last_used_at": ""},
    {"spent_today": "to_number(spentToday)", "status": "status || 'active'", "name": "x.name", "daily_cap": "x.cap"},
    {"daily_cap": "abs(dailySpendCap)", "name": "join('', name)", "id": "to_string(id)"},
]


@st.composite
def items(draw: st.DrawFn) -> list[Any]:
    """Keys that are mostly good, so that some stretches of a list are plain and others are not."""
    made: list[Any] = [key(n % 12) for n in range(draw(st.integers(0, 15)))]
    if not made:
        return made
    for _ in range(draw(st.integers(0, 4))):
        field = draw(st.sampled_from(list(HOSTILE)))
        position = draw(st.integers(0, len(made) - 1))
        made[position] = {**made[position], field: draw(st.sampled_from(HOSTILE[field]))}
    for field in draw(st.sets(st.sampled_from(list(HOSTILE)), max_size=2)):
        made[0] = {name: value for name, value in made[0].items() if name != field}
    if draw(st.integers(0, 9)) == 0:
        made[-1] = draw(st.sampled_from([None, 7, "text", [], {}, {"x": {"name": 1, "cap": "1"}}]))
    return made


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(items(), min_size=1, max_size=2), st.sampled_from(MAPPINGS), st.integers(1, 6))
def test_columns_and_items_agree_whatever_is_listed(
    pulls: list[list[Any]], mapping: dict[str, str], stretch: int
) -> None:
    by_column, by_item = KeyColumns(FieldOptions(**mapping)), KeyFields(FieldOptions(**mapping))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns_module, "_STRETCH", stretch)
        for listed in pulls:  # the second finds what the first one remembered
            found = by_column.snapshots(listed, NOON, latest=NOON + TOLERANCE)
            assert repr(found) == repr(by_item.snapshots(listed, NOON, latest=NOON + TOLERANCE))
            assert [list(map(type, s)) for s in found[0]] == [
                list(map(type, s)) for s in by_item.snapshots(listed, NOON, latest=NOON + TOLERANCE)[0]
            ]


@pytest.mark.parametrize("field", list(HOSTILE))
def test_columns_and_items_agree_about_each_value_alone_and_among_good_ones(field: str) -> None:
    for value in HOSTILE[field]:
        for listed in ([key(9, **{field: value})], [key(1), key(9, **{field: value}), key(3)]):
            by_column = KeyColumns(FieldOptions()).snapshots(listed, NOON, latest=NOON + TOLERANCE)
            assert repr(by_column) == repr(KeyFields(FieldOptions()).snapshots(listed, NOON, latest=NOON + TOLERANCE))


@pytest.mark.parametrize("field", list(HOSTILE))
def test_columns_that_hold_the_same_as_before_come_to_the_same_and_others_do_not(field: str) -> None:
    reused = KeyColumns(FieldOptions())
    for value in [1, "1", *HOSTILE[field]]:
        for listed in ([key(1), key(2), key(3)], [key(1), key(2, **{field: value}), key(3)]):
            found = reused.snapshots(listed, NOON, latest=NOON + TOLERANCE)
            assert repr(found) == repr(KeyFields(FieldOptions()).snapshots(listed, NOON, latest=NOON + TOLERANCE))


def test_a_text_that_may_be_a_secret_is_not_kept_for_the_next_pull() -> None:
    for field in ("id", "name", "prefix"):
        fields = KeyColumns(FieldOptions())
        fields.snapshots([key(1), key(2, **{field: SECRET})], NOON, latest=NOON)
        assert {"id", "name", "prefix"} - {kind for _, kind in fields._before._kept} == {field}
        assert SECRET not in repr(fields._before._kept)


def test_a_key_made_in_the_future_is_not_believed_because_it_was_before() -> None:
    fields, listed = KeyColumns(FieldOptions()), [key(1), key(2, createdAt="2026-03-10T12:01:00Z")]
    believed = [fields.snapshots(listed, NOON, latest=latest)[0][1].created_at for latest in (NOON + TOLERANCE, NOON)]
    assert [at is None for at in believed] == [False, True]


def examined(monkeypatch: pytest.MonkeyPatch, listed: list[Any], **mapping: str) -> int:
    """How many of `listed` are left to the way that looks at each."""
    counted = []
    careful = KeyFields.examine

    def examine(self: KeyFields, stretch: Any, *args: Any, **more: Any) -> None:
        counted.extend(stretch)
        careful(self, stretch, *args, **more)

    monkeypatch.setattr(KeyFields, "examine", examine)
    KeyColumns(FieldOptions(**mapping)).snapshots(listed, NOON, latest=NOON + TOLERANCE)
    return len(counted)


@pytest.mark.parametrize(
    "changes",
    [
        {"dailySpendCap": None, "lastUsedAt": None, "rateLimitPerMinute": None},
        {"rateLimitPerMinute": ..., "createdAt": ..., "name": ..., "prefix": ...},
        {"status": "REVOKED", "spentToday": 3, "dailySpendCap": 0.5, "name": None},
    ],
)
def test_usual_keys_are_read_by_columns(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    assert examined(monkeypatch, [key(1), key(2, **changes), key(3)]) == 0
    assert examined(monkeypatch, [key(n, id=n) for n in range(3)], spent_today="to_number(spentToday)") == 0


def test_a_key_that_is_not_plain_slows_down_its_own_stretch_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns_module, "_STRETCH", 10)
    listed = [key(n) for n in range(100)]
    listed[55] = key(55, spentToday=None)
    assert examined(monkeypatch, listed) == 10


def test_a_key_of_a_later_stretch_is_named_by_its_place_in_the_whole_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns_module, "_STRETCH", 2)
    listed = [key(1), key(2), key(3), key(4, id=None)]
    assert KeyColumns(FieldOptions()).snapshots(listed, NOON, latest=NOON)[1] == (
        Skipped("(item 4)", "id is not text"),
    )
