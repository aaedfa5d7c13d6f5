"""Which alerts the configured sources allow."""

from flowy_watch.core.needs import NEEDS, raisable
from flowy_watch.core.provenance import Figure, Sure
from flowy_watch.detectors import DETECTORS
from flowy_watch.sources import SOURCES


def can(**sources: dict[Figure, Sure]) -> list[str]:
    return [one.kind for one in raisable(sources) if one.can]


def test_every_kind_of_alert_says_what_it_needs() -> None:
    assert NEEDS.keys() == DETECTORS.keys()


def test_each_source_raises_what_it_knows_enough_for() -> None:
    knows = {kind: dict(source.knows) for kind, source in SOURCES.items()}
    assert can(api=knows["api"]) == [kind for kind in NEEDS if kind not in ("new_origin", "new_app")]
    assert can(meter=knows["meter"]) == ["spike", "ramp", "last_used", "new_origin", "new_app", "safeguard", "blind"]
    assert can(probe=knows["probe"]) == ["last_used", "safeguard", "blind"]
    assert can() == ["blind"]


def test_of_two_sources_the_surer_is_named() -> None:
    found = {
        one.kind: one.words
        for one in raisable({"meter": {Figure.SPENT: Sure.BY_PRICE}, "api": {Figure.SPENT: Sure.EXACT}})
    }
    assert found["spike"] == "spend exact (api)"
    assert found["cap"] == "needs daily caps, which no configured source knows"


def test_last_used_is_judged_by_spend_only_where_nobody_tells_uses() -> None:
    spent = {Figure.SPENT: Sure.EXACT}
    words = [
        next(one.words for one in raisable({"api": knows}) if one.kind == "last_used")
        for knows in (spent, spent | {Figure.LAST_USED: Sure.EXACT})
    ]
    assert words == ["spend exact (api)", "last use exact (api)"]


def test_what_is_switched_off_cannot_be_raised() -> None:
    (blind,) = [one for one in raisable({}, off=["blind"]) if one.kind == "blind"]
    assert (blind.can, blind.words) == (False, "switched off by detectors.blind.enabled")
