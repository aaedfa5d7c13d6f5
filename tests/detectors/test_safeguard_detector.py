"""Changes to what limits a key."""

from typing import Any

import pytest

from flowy_watch.core.alert import Change
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.provenance import Figure, From, Provenance
from flowy_watch.core.usage import ALL_KEYS, KeyStatus
from flowy_watch.detectors.safeguard import SafeguardConfig, SafeguardDetector
from tests.builders import MINUTE, NOON, history, replay, snapshot, view

SAFEGUARD = SafeguardDetector(SafeguardConfig())
LATER = NOON + 5 * MINUTE


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[Finding]:
    return list(SAFEGUARD.examine(view(history(snapshot(**before), snapshot(at=LATER, **after)))))


@pytest.mark.parametrize(
    ("before", "after", "severity", "title", "evidence"),
    [
        (
            {"cap": 100},
            {"cap": 5000},
            Severity.INFO,
            "render has its daily cap raised from 100 credits a day to 5,000 credits a day",
            "Before: 100 credits a day. Now: 5,000 credits a day.",
        ),
        (
            {"cap": 100},
            {},
            Severity.WARNING,
            "render lost its daily cap of 100 credits a day",
            "Before: 100 credits a day. Now: no cap.",
        ),
        (
            {"rate_limit": 60},
            {"rate_limit": 1200},
            Severity.INFO,
            "render has its rate limit lifted from 60 requests a minute to 1,200 requests a minute",
            "Before: 60 requests a minute. Now: 1,200 requests a minute.",
        ),
        (
            {"rate_limit": 60},
            {},
            Severity.INFO,
            "render is back to Flowy's default rate limit",
            "Before: 60 requests a minute. Now: the default.",
        ),
        (
            {"status": KeyStatus.REVOKED},
            {},
            Severity.WARNING,
            "render is active again after a revoke",
            "Before: revoked. Now: active.",
        ),
    ],
)
def test_each_loosened_safeguard_is_told_before_and_after(
    before: dict[str, Any], after: dict[str, Any], severity: Severity, title: str, evidence: str
) -> None:
    (one,) = changed(before, after)

    assert (one.severity, one.title, one.evidence) == (severity, title, (evidence,))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"cap": 100}, {"cap": 100}),
        ({"cap": 100}, {"cap": 50}),
        ({}, {"cap": 100}),
        ({"rate_limit": 60}, {"rate_limit": 30}),
        ({}, {"rate_limit": 60}),
        ({}, {"status": KeyStatus.REVOKED}),
        ({}, {"status": KeyStatus.EXPIRED}),
        ({"name": "old"}, {"name": "new"}),
    ],
)
def test_what_is_tightened_or_left_alone_is_no_news(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert changed(before, after) == []


def test_two_changes_at_once_are_two_findings() -> None:
    both = changed({"cap": 100, "rate_limit": 60}, {})

    assert [one.facts["what"] for one in both] == ["cap_removed", "rate_limit"]
    assert len({one.fingerprint for one in both}) == 2


def test_nothing_is_new_on_the_first_listing_of_a_workspace() -> None:
    assert list(SAFEGUARD.examine(view(history(snapshot())))) == []


@pytest.mark.parametrize(
    ("cap", "severity", "title"),
    [
        (None, Severity.WARNING, "render is a new key without a daily cap"),
        (500, Severity.INFO, "render is a new key with a daily cap of 500 credits"),
    ],
)
def test_a_new_key_is_told_and_a_missing_cap_makes_it_a_warning(
    cap: float | None, severity: Severity, title: str
) -> None:
    (one,) = SAFEGUARD.examine(view(history(snapshot(cap=cap)), new_keys=frozenset({"key_1"})))

    assert (one.severity, one.title) == (severity, title)


def test_of_a_new_key_whose_cap_nobody_knows_no_missing_cap_is_told() -> None:
    by_probe = {"key_1": Provenance({Figure.STATUS: From("probe")})}
    keys = history(snapshot()._replace(spent=None))
    (one,) = SAFEGUARD.examine(view(keys, new_keys=frozenset({"key_1"}), provenance=by_probe))
    assert (one.severity, one.title) == (Severity.INFO, "render is a new key")
    assert one.evidence[0] == "Before: no such key. Now: a key whose cap is not known."


def test_all_keys_together_are_no_new_key() -> None:
    together = history(snapshot(key_id=ALL_KEYS))
    assert list(SAFEGUARD.examine(view(together, new_keys=frozenset({ALL_KEYS})))) == []


@pytest.mark.parametrize("status", [KeyStatus.REVOKED, KeyStatus.EXPIRED])
def test_a_key_that_is_refused_is_told_where_that_is_wanted(status: KeyStatus) -> None:
    keys = view(history(snapshot(), snapshot(at=LATER, status=status)))
    (one,) = SafeguardDetector(SafeguardConfig(revoked=True)).examine(keys)
    assert one.title == "render is refused by Flowy: it was revoked, or it expired"
    assert list(SAFEGUARD.examine(keys)) == []


def test_new_keys_need_not_be_told() -> None:
    quiet = SafeguardDetector(SafeguardConfig(new_keys=False))

    assert list(quiet.examine(view(history(snapshot()), new_keys=frozenset({"key_1"})))) == []


def test_a_change_is_told_once_and_the_same_change_made_again_is_told_again() -> None:
    key, views = history(snapshot(cap=100)), []
    for n, cap in enumerate((200, 200, 100, 200), start=1):
        key.add(snapshot(0, NOON + n * 5 * MINUTE, cap=cap))
        views.append(list(SAFEGUARD.examine(view(key))))

    assert [len(found) for found in views] == [1, 0, 0, 1]
    assert views[0][0].fingerprint != views[3][0].fingerprint


def test_a_notice_is_one_opening_and_nothing_more() -> None:
    loosened = view(history(snapshot(cap=100), snapshot(0, LATER)))
    calm = view(history(snapshot(0, LATER), snapshot(0, LATER + 5 * MINUTE)))

    assert replay(SAFEGUARD, [loosened, calm, calm]) == [(Change.OPENED, 1)]
