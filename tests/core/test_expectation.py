"""An expectation is a silence on what is unusual alone, up to an amount."""

from dataclasses import replace

import pytest

from flowy_watch.core.alert import Alert
from flowy_watch.core.expectation import beyond
from flowy_watch.core.finding import Stakes
from flowy_watch.core.provenance import Figure, From, Provenance, Sure
from flowy_watch.core.silence import EXPECTABLE
from tests.builders import DAY, NOON, alert, credit, history, silence, snapshot


def expected(**more: object):  # type: ignore[no-untyped-def]
    return replace(silence("render"), expected=True, **more)


def spending(amount: float) -> Alert:
    found = alert("spike")
    return replace(found, finding=replace(found.finding, stakes=Stakes(credit(amount), 0, NOON + DAY)))


@pytest.mark.parametrize("kind", ["spike", "ramp", "last_used", "cap", "balance", "safeguard", "blind"])
def test_only_what_is_unusual_can_be_expected(kind: str) -> None:
    assert expected().covers(alert(kind), at=NOON) is (kind in EXPECTABLE)


def test_use_after_a_revoke_is_never_expected() -> None:
    revoked = alert("last_used")
    revoked = replace(revoked, finding=replace(revoked.finding, period="revoked"))
    assert not expected().covers(revoked, at=NOON)


@pytest.mark.parametrize(("spent", "covered"), [(500, True), (750, True), (751, False)])
def test_an_expectation_holds_up_to_half_as_much_again(spent: float, covered: bool) -> None:
    assert expected(credits_at_most=credit(500)).covers(spending(spent), at=NOON) is covered


@pytest.mark.parametrize(
    ("provenance", "known"),
    [
        ({}, ("", "")),
        (
            {"key_1": Provenance({Figure.SPENT: From("meter", Sure.BY_PRICE)}, fingerprint="0123456789abcdef")},
            ("0123456789abcdef", "by price, from meter"),
        ),
    ],
)
def test_what_exceeds_an_expectation_can_be_blocked_where_it_passes_through_the_meter(
    provenance: dict[str, Provenance], known: tuple[str, str]
) -> None:
    key = history(snapshot(800, key_id="key_1", name="render"))
    (found,) = beyond([key], [expected(credits_at_most=credit(500))], None, provenance)
    assert found.stakes
    assert (found.meter_key, found.stakes.remark) == known
