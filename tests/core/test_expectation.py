"""An expectation is a silence on what is unusual alone, up to an amount."""

from dataclasses import replace

import pytest

from flowy_watch.core.alert import Alert
from flowy_watch.core.finding import Stakes
from flowy_watch.core.silence import EXPECTABLE
from tests.builders import DAY, NOON, alert, credit, silence


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
