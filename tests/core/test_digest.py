"""The numbers of a digest: they add up exactly, and say when something was not seen."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from flowy_watch.core.digest import (
    OTHER,
    UNATTRIBUTED,
    DayFigures,
    Facts,
    KeyFigures,
    Outcome,
    build,
    by_owner,
    contributions,
    movers,
)
from flowy_watch.core.edition import Edition, Issue, bounded
from flowy_watch.core.period import Period
from flowy_watch.core.usage import MOST
from tests.builders import credit
from tests.core.digests import WEEK, alert_figures, balance, digest, key, names

AMOUNTS = st.one_of(st.none(), st.integers(0, 10**9), st.integers(0, MOST))
KEYS = st.lists(st.tuples(st.lists(AMOUNTS, min_size=7, max_size=7), st.sampled_from(["", "ana", "ben"])), max_size=30)


@given(KEYS, st.integers(0, MOST), st.integers(0, 12))
def test_the_contributions_add_up_to_the_total_exactly(spends: object, fell: int, most: int) -> None:
    assert isinstance(spends, list)
    keys = [KeyFigures(f"key_{n}", owner, tuple(days), (0,) * 4) for n, (days, owner) in enumerate(spends)]
    whole = digest(*keys, balance=replace(balance(1, fell=0), fell=fell), owners={"ana": "ana", "ben": "ben"})

    assert sum(part.spent for part in contributions(whole, most=most)) == whole.total
    assert whole.total == sum(day or 0 for days, _ in spends for day in days) + whole.unattributed
    assert sum(now for _, now, _ in by_owner(whole)) == whole.of_keys == sum(day.spent for day in whole.days[-7:])
    editions = [whole.for_owner(owner) for owner in ("", "ana", "ben") if owner]
    nobodys = sum(one.spent for one in whole.keys if not one.owner)
    assert sum(edition.total for edition in editions) + nobodys == whole.of_keys
    assert all(edition.workspace_spent == whole.total for edition in editions)


def test_named_keys_come_first_then_all_others_then_what_no_key_explains() -> None:
    keys = [key(f"k{n}", 10 - n) for n in range(5)]
    parts = contributions(digest(*keys, balance=balance(100, fell=45)), most=2)
    assert [(part.name, part.spent, part.keys) for part in parts] == [
        ("k0", credit(10), 1),
        ("k1", credit(9), 1),
        (OTHER, credit(8 + 7 + 6), 3),
        (UNATTRIBUTED, credit(5), 0),
    ]


def test_one_key_more_than_the_list_holds_is_named_too() -> None:
    parts = contributions(digest(key("a", 3), key("b", 2), key("c", 1)), most=2)
    assert [part.name for part in parts] == ["a", "b", "c"]


@given(KEYS, st.integers(1, 6))
def test_an_issue_of_many_keys_sums_the_lesser_ones_up_and_no_sum_changes(spends: object, most: int) -> None:
    assert isinstance(spends, list)
    keys = [KeyFigures(f"key_{n}", owner, tuple(days), (n,) * 4) for n, (days, owner) in enumerate(spends)]
    whole = digest(*keys, owners={"ana": "ana", "ben": "ben"})
    small = bounded(Issue(Edition("mail"), whole), most).digest

    assert len(small.keys) <= most + 3
    assert sum(key.many for key in small.keys) == len(keys)
    assert (small.total, small.of_keys, by_owner(small)) == (whole.total, whole.of_keys, by_owner(whole))
    by_day = [[sum(key.days[n] or 0 for key in one.keys) for n in range(7)] for one in (small, whole)]
    assert by_day[0] == by_day[1]
    for parts in (contributions(small, most=2), contributions(whole, most=2)):
        assert sum(part.spent for part in parts) == whole.total
    assert sum(part.keys for part in contributions(small)) >= sum(part.keys for part in contributions(whole))


def test_of_many_keys_those_stay_single_that_something_happened_to() -> None:
    whole = digest(*(key(f"k{n}", 10 - n, cap=100, new=n == 4, listed_before=True, cap_before=100) for n in range(5)))
    small = bounded(Issue(Edition("mail"), whole), 2).digest
    assert names(small.keys) == ["k0", "k4", "3 keys"]
    assert [(part.name, part.spent, part.keys) for part in contributions(small)] == [
        ("k0", credit(10), 1),
        ("k4", credit(6), 1),
        (OTHER, credit(9 + 8 + 7), 3),
    ]


def test_without_a_balance_nothing_is_called_unattributed() -> None:
    assert digest(key("a", 3)).unattributed == 0
    assert digest(key("a", 3), balance=balance(9, fell=2)).unattributed == 0


def test_the_change_is_against_the_week_before_and_the_median_of_four() -> None:
    made = digest(key("a", 108, earlier=(100, 90, 200, 60)), per_day=10)
    assert (made.before, made.usual) == (credit(100), credit(95))
    assert made.change(made.before) == 0.08


def test_a_week_that_was_not_seen_whole_is_compared_with_nothing() -> None:
    made = digest(key("a", 108, earlier=(100, 90, 200, 60)), seen=[False, True, True, True])
    assert (made.before, made.usual, made.change(made.before)) == (None, None, None)
    assert movers(made) == ((), ())


def test_movers_are_ranked_by_credits_not_by_per_cent() -> None:
    keys = (
        key("big", 1100, earlier=(1000,)), key("small", 50, earlier=(1,)), key("same", 7, earlier=(7,)),
        key("less", 10, earlier=(300,)), key("gone", earlier=(20,)),
    )  # fmt: skip
    up, down = movers(digest(*keys, per_day=10))
    assert (names(up), names(down)) == (["big", "small"], ["less", "gone"])


def test_a_day_that_was_not_seen_to_its_end_makes_the_total_a_least() -> None:
    assert not digest(key("a", 3)).at_least
    made = digest(key("a", 3, open_days=1))
    assert made.at_least
    assert len(made.missing_days) == 7  # no key of those days was seen to their end


def test_a_day_nobody_saw_is_named_and_not_filled() -> None:
    seen = digest(key("a", 1, 1, 1, 1, 1, 1, 1), per_day=1)
    days = (*seen.days[:-2], replace(seen.days[-2], keys=0), seen.days[-1])
    assert replace(seen, days=days).missing_days == (WEEK.end - timedelta(days=2),)


def test_an_owner_sees_their_keys_their_alerts_and_their_share_alone() -> None:
    alerts = (
        alert_figures(),
        alert_figures(key_id="key_other", key_name="other"),
        alert_figures(key_id="", key_name=""),
    )
    whole = digest(
        key("render", 30, earlier=(20,)), key("other", 60, earlier=(90,)),
        balance=balance(500, fell=100), alerts=alerts, owners={"render": "ana"}, per_day=10,
    )  # fmt: skip
    mine = whole.for_owner("ana")
    assert (names(mine.keys), mine.total, mine.share) == (["render"], credit(30), 0.3)
    assert mine.before == credit(20)
    assert [alert.key_name for alert in mine.alerts] == ["render"]
    assert (mine.balance, mine.runway, mine.month) == (None, None, None)


def test_a_week_without_spend_and_without_news_is_empty() -> None:
    assert digest(key("a")).empty
    assert digest().empty
    assert not digest(key("a", new=True)).empty
    assert not digest(key("a"), alerts=(alert_figures(Outcome.OVER),)).empty
    assert not digest(key("a"), balance=balance(1, fell=1)).empty


def test_what_was_expected_of_the_week_is_what_the_same_forecast_said_before_it() -> None:
    made = digest(key("a", *[10] * 7), per_day=10, balance=balance(100, fell=70))
    assert made.foretold
    assert (made.foretold.amount, made.foretold.holds(made.of_keys)) == (credit(70), True)
    assert made.runway
    assert (made.runway.least, made.runway.days, made.runway.most) == (10, 10, 10)
    assert (made.month_name, made.month and made.month.amount) == ("November", credit(300))


def test_one_key_of_a_million_million_credits_is_counted_exactly() -> None:
    made = digest(key("a", 10.0**12, 0.000001), key("b", 1))
    assert made.total == 10**18 + 1 + 10**6


def test_after_a_month_an_owner_hears_what_the_next_will_cost_them_and_nobody_else() -> None:
    october = Period.parse("2026-10")
    keys = [KeyFigures(f"key_{n}", name, (credit(n),) * 31, (0,) * 3) for n, name in ((1, "ana"), (2, "ben"))]
    days = [DayFigures(day, credit(3), 2) for day in october.days()]
    before = [october.before()] * 3
    whole = build(
        Facts(keys, days, before, [False] * 3, None, (), 0),
        october,
        owner_of=lambda _, name: name,
        now=october.end_at,
        late_by=timedelta(0),
    )
    expected = whole.for_owner("ben").month
    assert (whole.for_owner("ben").month_name, expected and expected.amount) == ("November", credit(2 * 30))
    assert digest(key("a", 5), per_day=5, owners={"a": "ana"}).for_owner("ana").month is None  # seven days tell nothing
