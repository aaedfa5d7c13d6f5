"""The life of a problem."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowy_watch.core.alert import LIVES, Alert, Change, Reconciled, Status, reconcile
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.stop import Stop, Use
from tests.builders import DAY, HOUR, MINUTE, NOON, alert, finding

LATER = NOON + 5 * MINUTE


def after(*unresolved: Alert, found: tuple[Finding, ...] = (), seen: bool = True, wait: timedelta = DAY) -> Reconciled:
    return reconcile(unresolved, found, evaluated=lambda finding: seen, now=NOON + wait)


def changes(result: Reconciled) -> list[tuple[Change, int]]:
    return [(transition.change, transition.alert.level) for transition in result.transitions]


def test_what_is_found_for_the_first_time_opens() -> None:
    (opening,) = after(found=(finding("spike", 2),), wait=5 * MINUTE).transitions

    assert opening.alert == alert("spike", 2, id=0, at=LATER, began_at=LATER, title="spike at 2")
    assert (opening.change, opening.at) == (Change.OPENED, LATER)


def test_a_jump_over_several_levels_is_one_opening_at_the_highest() -> None:
    found = tuple(finding(level=level) for level in (80, 100, 95))

    assert changes(after(found=found)) == [(Change.OPENED, 100)]


def test_the_same_level_is_not_told_again_but_its_numbers_follow() -> None:
    result = after(alert(level=80), found=(finding(level=80, title="81 %"),), wait=5 * MINUTE)

    assert (changes(result), [a.finding.title for a in result.seen]) == ([], ["81 %"])
    assert result.seen[0].last_seen_at == LATER


def test_a_lower_level_is_no_news_and_the_worst_is_remembered() -> None:
    result = after(alert(level=95, severity=Severity.CRITICAL), found=(finding(level=80),))

    assert (changes(result), result.seen[0].level) == ([], 95)
    assert result.seen[0].finding.severity is Severity.CRITICAL


def test_a_higher_level_escalates() -> None:
    assert changes(after(alert(level=80), found=(finding(level=95),))) == [(Change.ESCALATED, 95)]


def test_a_higher_level_breaks_through_an_acknowledgement() -> None:
    acknowledged = alert(level=80, status=Status.ACKNOWLEDGED, acknowledged_by="ana", acknowledged_until=NOON + DAY)

    (escalation,) = after(acknowledged, found=(finding(level=95),)).transitions

    assert escalation.alert.status is Status.OPEN
    assert (escalation.alert.acknowledged_by, escalation.alert.acknowledged_until) == ("", None)


def test_an_acknowledged_alert_stays_so_at_the_same_level() -> None:
    result = after(alert(status=Status.ACKNOWLEDGED, acknowledged_by="ana"), found=(finding(),))

    assert (changes(result), result.seen[0].status) == ([], Status.ACKNOWLEDGED)


def test_an_escalation_keeps_the_identity_and_the_opening_of_the_alert() -> None:
    (escalation,) = after(alert(id=7, told_level=1), found=(finding(level=2),), wait=HOUR).transitions

    assert (escalation.alert.id, escalation.alert.opened_at, escalation.alert.told_level) == (7, NOON, 1)
    assert escalation.alert.last_seen_at == NOON + HOUR


@pytest.mark.parametrize("kind", [kind for kind, life in LIVES.items() if not life.needs_person])
def test_an_alert_resolves_once_its_quiet_time_is_over(kind: str) -> None:
    quiet, today = LIVES[kind].quiet_for, f"{NOON:%Y-%m-%d}"
    (looked,) = after(alert(kind, period=today), wait=quiet / 2).seen if quiet else [alert(kind, period=today)]

    assert changes(after(looked, wait=quiet)) == [(Change.RESOLVED, 1)]
    assert not quiet or changes(after(looked, wait=quiet - MINUTE)) == []


@pytest.mark.parametrize("kind", ["cap", "balance", "unattributed"])
def test_one_look_after_a_gap_ends_nothing_that_crosses_a_line(kind: str) -> None:
    quiet, today = LIVES[kind].quiet_for, f"{NOON:%Y-%m-%d}"
    (looked,) = after(alert(kind, period=today), wait=8 * HOUR).seen

    assert changes(after(looked, wait=8 * HOUR + quiet / 2 - MINUTE)) == []
    assert changes(after(looked, wait=8 * HOUR + quiet / 2)) == [(Change.RESOLVED, 1)]
    (found,) = after(looked, found=(looked.finding,), wait=8 * HOUR + MINUTE).seen
    assert (found.last_seen_at, found.wobble.quiet) == (NOON + 8 * HOUR + MINUTE, 0 * HOUR)


def test_a_resolved_alert_says_when() -> None:
    (end,) = after(alert(), wait=HOUR).transitions

    assert (end.alert.status, end.alert.resolved_at) == (Status.RESOLVED, NOON + HOUR)


@pytest.mark.parametrize("kind", LIVES)
def test_an_outage_of_any_length_does_not_resolve_alerts(kind: str) -> None:
    acknowledged = alert(kind, status=Status.ACKNOWLEDGED, id=2, period="x")

    assert after(alert(kind), acknowledged, seen=False, wait=400 * DAY) == Reconciled((), ())


def test_a_stopped_key_that_has_been_quiet_for_a_day_closes_once_the_problem_is_not_found() -> None:
    def uses(_: Finding) -> Use:
        return Use(NOON, told=True, revoked_at=NOON)

    def look(one: Alert, *found: Finding, now: datetime) -> Reconciled:
        return reconcile([one], found, evaluated=lambda _: True, uses=uses, now=now)

    stopped = alert("ramp", status=Status.ACKNOWLEDGED, stop=Stop(NOON, looks=2, quiet_since=NOON))
    late = NOON + 30 * HOUR

    assert changes(look(stopped, stopped.finding, now=late)) == []
    assert changes(look(stopped, now=late)) == [(Change.RESOLVED, 1)]
    assert changes(look(stopped, now=NOON + 23 * HOUR)) == []


def test_a_question_that_nobody_answered_stays_open_however_quiet_it_is() -> None:
    assert changes(after(alert("last_used"), wait=400 * DAY)) == []


def test_a_question_that_was_answered_ends_when_it_has_been_quiet() -> None:
    answered = alert("last_used", status=Status.ACKNOWLEDGED)

    assert changes(after(answered, wait=HOUR - MINUTE)) == []
    assert changes(after(answered, wait=HOUR)) == [(Change.RESOLVED, 1)]


def test_a_kind_that_is_not_known_resolves_at_once() -> None:
    assert changes(after(alert("house_rule"), wait=timedelta(0))) == [(Change.RESOLVED, 1)]


def test_the_next_cap_day_is_another_alert() -> None:
    monday, tuesday = alert(period="2026-03-02"), finding(period="2026-03-03")

    assert changes(after(monday, found=(tuesday,))) == [(Change.RESOLVED, 1), (Change.OPENED, 1)]


def test_the_fingerprint_is_kind_key_and_period_and_never_the_numbers() -> None:
    assert finding("cap", 80, period="2026-03-02").fingerprint == "cap/key_1/2026-03-02"
    assert finding("balance", 3, key_id=None).fingerprint == "balance/-/-"
    assert alert(level=80).fingerprint == alert(level=95, title="other words").fingerprint


@pytest.mark.parametrize("field", [{"kind": "spike"}, {"key_id": "key_2"}, {"period": "2026-03-03"}])
def test_another_kind_key_or_period_is_another_problem(field: dict[str, str]) -> None:
    assert (
        finding(**{"kind": "cap", "period": "2026-03-02"} | field).fingerprint
        != finding(period="2026-03-02").fingerprint
    )


KINDS = ("cap", "spike", "last_used", "balance")
POLL = st.tuples(
    st.integers(1, 300),  # minutes since the poll before
    st.dictionaries(st.sampled_from(KINDS), st.one_of(st.none(), st.integers(0, 3)), max_size=4),  # absent: not seen
    st.sets(st.sampled_from(KINDS)),  # acknowledged before the poll
)


@given(st.lists(POLL, max_size=30))
def test_whatever_polls_bring_missing_data_is_no_news_and_levels_never_sink(
    polls: list[tuple[int, dict[str, int | None], set[str]]],
) -> None:
    known: dict[str, Alert] = {}
    now = NOON
    for minutes, levels, acknowledged in polls:
        now += minutes * MINUTE
        could_see = {kind for kind, level in levels.items() if level is not None}
        found = [finding(kind, level, severity=Severity(level)) for kind, level in levels.items() if level]
        before = {
            print_: replace(one, status=Status.ACKNOWLEDGED) if one.finding.kind in acknowledged else one
            for print_, one in known.items()
        }

        result = reconcile(before.values(), found, evaluated=lambda f, could=could_see: f.kind in could, now=now)

        assert {t.alert.finding.kind for t in result.transitions} <= could_see
        touched = [*(t.alert for t in result.transitions), *result.seen]
        assert len({one.fingerprint for one in touched}) == len(touched)
        for one in touched:
            old = before.get(one.fingerprint, one)
            assert one.level >= old.level
            assert one.finding.severity >= old.finding.severity
        for t in result.transitions:
            assert (t.change is Change.OPENED) == (t.alert.fingerprint not in before)
            assert t.change in (Change.OPENED, Change.ESCALATED, Change.FLAPPING, Change.RESOLVED)
            assert (t.change is Change.RESOLVED) == (t.alert.status is Status.RESOLVED)
            if t.change is Change.RESOLVED:
                assert not levels[t.alert.finding.kind]
                by_day = LIVES[t.alert.finding.kind].by_day
                assert by_day or now - t.alert.last_seen_at >= LIVES[t.alert.finding.kind].quiet_for
        known = before | {one.fingerprint: one for one in touched}
        known = {print_: one for print_, one in known.items() if one.status is not Status.RESOLVED}
        assert {f.fingerprint for f in found} <= known.keys()
