"""Several sources, one picture: each figure from the most trusted source that knows it, and no key mistaken."""

from collections.abc import Iterable
from typing import Any

import pytest

from flowy_watch.core.history import History
from flowy_watch.core.merge import Known, Merged, merge
from flowy_watch.core.provenance import Figure, From, Provenance, Sure
from flowy_watch.core.usage import ALL_KEYS, Answers, KeyStatus, Match, Part, Skipped, Snapshot, Trouble
from flowy_watch.core.watch import Watch
from tests.builders import HOUR, MINUTE, NOON, credit, reading, snapshot

API = {figure: Sure.EXACT for figure in Figure if figure is not Figure.ORIGINS}
METER = {
    Figure.SPENT: Sure.BY_PRICE,
    Figure.LAST_USED: Sure.EXACT,
    Figure.STATUS: Sure.LEAST,
    Figure.ORIGINS: Sure.EXACT,
}
PROBE = {Figure.STATUS: Sure.EXACT, Figure.LAST_USED: Sure.LEAST}
PRINT = "0123456789abcdef"


def api(*snapshots: Snapshot, **more: Any) -> Part:
    return Part("api", API, reading(*snapshots, **more))


def meter(*snapshots: Snapshot, match: Match = Match.LAST_FOUR, **more: Any) -> Part:
    return Part("proxy", METER, reading(*snapshots, **more), match=match)


def failed(source: str = "api") -> Part:
    knows = API if source == "api" else METER
    return Part(source, knows, trouble=Trouble(source, "timed out"))


def listed(spent: float = 100, **more: Any) -> Snapshot:
    return snapshot(spent, cap=1000, **({"last_four": "9f8e", "used": NOON - HOUR} | more))


def metered(spent: float = 90, **more: Any) -> Snapshot:
    given = {"key_id": PRINT, "name": "", "last_four": "9f8e", "used": NOON - MINUTE} | more
    return snapshot(spent, **given)


def merged(*parts: Part, known: Known | None = None, same_as: dict[str, Iterable[str]] | None = None) -> Merged:
    return merge(parts, NOON, known or Known(), lambda key_id, _: (same_as or {}).get(key_id, ()))


def after(*parts: Part) -> Known:
    """What a poll with these parts leaves."""
    made = merged(*parts).reading
    return Known({one.key_id: one for one in made.snapshots}, made.provenance)


def only(made: Merged) -> Snapshot:
    (one,) = made.reading.snapshots
    return one


def test_each_figure_comes_from_the_most_trusted_source_that_knows_it() -> None:
    made = merged(api(listed()), meter(metered(), answers={PRINT: Answers(capped=2)}))

    one = only(made)
    assert (one.key_id, one.name, one.spent, one.daily_cap) == ("key_1", "render", credit(100), credit(1000))
    assert one.last_used_at == NOON - MINUTE  # the latest that any source saw
    assert made.reading.answers == {"key_1": Answers(capped=2)}
    figures = made.reading.provenance["key_1"].figures
    assert figures[Figure.SPENT] == From("api", Sure.EXACT)
    assert figures[Figure.LAST_USED] == From("proxy", Sure.EXACT)
    assert figures[Figure.ORIGINS] == From("proxy", Sure.EXACT)
    assert made.reading.provenance["key_1"].ids == {"api": "key_1", "proxy": PRINT}


def test_what_only_one_source_lists_is_known_by_that_one() -> None:
    made = merged(api(listed()), meter(metered(last_four="0000")))

    assert [(one.key_id, one.spent) for one in made.reading.snapshots] == [("key_1", credit(100)), (PRINT, credit(90))]
    assert made.reading.provenance[PRINT].remark == "by price, from proxy"


def test_spend_that_nobody_knows_is_not_0() -> None:
    made = merged(Part("probe", PROBE, reading(snapshot(0)._replace(spent=None))))

    assert only(made).spent is None
    assert made.reading.provenance["key_1"].remark == "spend is not known"


def test_keys_with_the_same_last_four_are_never_guessed() -> None:
    twins = merged(api(listed(), listed(key_id="key_2")), meter(metered()))
    others = merged(api(listed()), meter(metered(), metered(key_id="f" * 16)))

    assert [one.key_id for one in twins.reading.snapshots] == ["key_1", "key_2", PRINT]
    assert twins.apart == (f"{PRINT} of proxy: 2 keys have the same last four",)
    assert [one.key_id for one in others.reading.snapshots] == ["key_1", PRINT, "f" * 16]
    assert len(others.apart) == 2


@pytest.mark.parametrize("called", [PRINT, "9f8e", "from-proxy"])
def test_what_is_configured_settles_it(called: str) -> None:
    parts = api(listed(), listed(key_id="key_2")), meter(metered(name="from-proxy"))
    made = merged(*parts, same_as={"key_2": [called]})

    assert [one.key_id for one in made.reading.snapshots] == ["key_1", "key_2"]
    assert made.reading.provenance["key_2"].ids["proxy"] == PRINT
    assert made.apart == ()


def test_one_key_cannot_be_named_for_two_nor_two_for_one() -> None:
    two = merged(api(listed(), listed(key_id="key_2")), meter(metered()), same_as={"key_1": [PRINT], "key_2": [PRINT]})
    one = merged(api(listed()), meter(metered(), metered(key_id="f" * 16)), same_as={"key_1": ["9f8e"]})

    assert two.apart == (f"{PRINT} of proxy: same_as names it for 2 keys",)
    assert [each.key_id for each in one.reading.snapshots] == ["key_1", "f" * 16]
    assert one.apart == (f"{'f' * 16} of proxy: another key of this source is that key already",)


@pytest.mark.parametrize(("match", "keys"), [(Match.NAME, 1), (Match.KEY_ID, 2)])
def test_a_source_is_matched_as_it_is_configured(match: Match, keys: int) -> None:
    made = merged(api(listed()), meter(metered(name="render", last_four="0000"), match=match))

    assert len(made.reading.snapshots) == keys


def test_a_source_that_fails_makes_only_its_figures_unknown() -> None:
    parts = api(listed(), balance=500), meter(metered())
    made = merged(failed(), parts[1], known=after(*parts))

    one = only(made)
    assert (one.key_id, one.name, one.spent, one.daily_cap) == ("key_1", "render", None, credit(1000))
    assert (one.last_used_at, made.reading.balance) == (NOON - MINUTE, None)
    assert made.reading.troubles == (Trouble("api", "timed out"),)
    assert made.reading.rebased == frozenset()
    assert only(merged(parts[0], failed("proxy"), known=after(*parts))).spent == credit(100)


def test_a_key_that_cannot_be_told_while_a_source_is_away_is_no_new_key() -> None:
    parts = api(listed()), meter(metered())
    stranger = metered(key_id="f" * 16, last_four="1111")

    made = merged(failed(), meter(metered(), stranger), known=after(*parts))

    assert [one.key_id for one in made.reading.snapshots] == ["key_1"]


def test_a_key_that_a_source_skips_is_not_taken_from_another() -> None:
    parts = api(listed()), meter(metered())
    spoilt = Part("api", API, reading(skipped=(Skipped("key_1", "NaN"),)))

    assert only(merged(spoilt, parts[1], known=after(*parts))).spent is None


def test_a_revoke_that_the_api_showed_stays_while_it_is_away() -> None:
    parts = api(listed(status=KeyStatus.REVOKED)), meter(metered())

    assert only(merged(failed(), parts[1], known=after(*parts))).status is KeyStatus.REVOKED


def test_a_revoke_stays_when_the_key_is_not_listed_any_more() -> None:
    known = after(api(listed(status=KeyStatus.REVOKED)), meter(metered()))
    made = merged(api(snapshot(key_id="key_2", last_four="0000")), meter(metered()), known=known)

    gone = next(one for one in made.reading.snapshots if one.key_id == "key_1")
    assert gone.status is KeyStatus.REVOKED
    assert made.reading.provenance["key_1"].figures[Figure.STATUS] == From("api", Sure.EXACT)


def test_another_counter_is_no_spend() -> None:
    watch = Watch()
    first = merged(meter(metered(90)))
    watch.add(first.reading)
    watch.note_provenances(first.reading.provenance)
    known = Known({PRINT: watch.histories[PRINT].latest}, watch.provenance)

    second = merge([api(listed(300, key_id=PRINT)), meter(metered(90))], NOON + MINUTE, known).reading
    watch.add(second)
    third = listed(310, key_id=PRINT)._replace(taken_at=NOON + 2 * MINUTE)

    assert second.rebased == {PRINT}
    assert watch.histories[PRINT].total == 0
    assert watch.histories[PRINT].add(third) == credit(10)


def test_spend_of_an_outage_is_spread_over_it() -> None:
    key = History(snapshot(0))
    key.add(snapshot(10, NOON + 5 * MINUTE))
    for n in range(2, 12):
        key.add(snapshot(0, NOON + n * 5 * MINUTE)._replace(spent=None))
    key.add(snapshot(120, NOON + 60 * MINUTE))

    assert key.total == credit(120)
    assert key.spent_within(30 * MINUTE) == pytest.approx(credit(60), rel=0.01)


def test_what_all_keys_together_spend_is_not_counted_twice() -> None:
    probe = Part("probe", PROBE | {Figure.SPENT: Sure.BY_PRICE}, reading(snapshot(500, key_id=ALL_KEYS)))

    assert [one.key_id for one in merged(api(listed()), probe).reading.snapshots] == ["key_1"]
    assert only(merged(probe)).key_id == ALL_KEYS


def test_provenance_is_remembered_by_value() -> None:
    told = Provenance({Figure.SPENT: From("api")}, {"api": "key_1"})
    watch = Watch()

    assert watch.note_provenances({"key_1": told}) == {"key_1": told}
    assert watch.note_provenances({"key_1": Provenance({Figure.SPENT: From("api")}, {"api": "key_1"})}) == {}
