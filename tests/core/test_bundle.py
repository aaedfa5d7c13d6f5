"""What travels together, and what is out of date: decided from values alone."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from flowy_watch.core.alert import Alert, Change, Status
from flowy_watch.core.bundle import (
    MOST_AFTER_OUTAGE,
    MOST_ALONE,
    Form,
    Waiting,
    footless,
    most_alone,
    next_bundle,
    overtaken,
)
from flowy_watch.core.notification import Manner, Notification, undelivered
from tests.builders import MINUTE, NOON, alert


def waiting(
    outbox_id: str, about: Alert, change: Change = Change.OPENED, manner: Manner = Manner.POST, **more: bool
) -> Waiting:
    return Waiting(outbox_id, Notification("ops", change, about, NOON, manner=manner), **more)


def over(one: Alert) -> Alert:
    return replace(one, status=Status.RESOLVED, resolved_at=NOON)


A, B, C, D, E, F = (alert(id=number) for number in range(1, 7))


def told(bundle_of: list[Waiting], *present: Alert) -> tuple[Form, list[tuple[str, str]]]:
    bundle = next_bundle(bundle_of, {one.id: one for one in present})
    return bundle.form, [(m.outbox_id, m.notification.change.value) for m in bundle.members]


def test_an_alert_is_told_by_its_latest_news_and_as_new_to_those_who_never_heard() -> None:
    rows = [waiting("n1", A), waiting("n2", A, Change.ESCALATED), waiting("n3", A, Change.ACKNOWLEDGED)]
    assert overtaken(rows, {}) == {"n1": "n2"}
    assert told(rows, A) == (Form.ALONE, [("n2", "opened")])
    assert told(rows[1:], A) == (Form.ALONE, [("n2", "escalated")])


def test_an_end_is_told_to_those_who_heard_and_is_one_line_for_all_others() -> None:
    rows = [waiting("n1", A, Change.ESCALATED), waiting("n2", A, Change.RESOLVED)]
    assert told(rows, over(A)) == (Form.PASSED, [("n2", "resolved")])
    assert told([replace(row, heard=True) for row in rows], over(A)) == (Form.ALONE, [("n2", "resolved")])


def test_an_alert_that_the_calendar_ended_is_never_told_as_news() -> None:
    assert told([waiting("n1", A)], over(A)) == (Form.PASSED, [("n1", "resolved")])
    assert told([waiting("n1", A, heard=True)], over(A)) == (Form.ALONE, [("n1", "resolved")])


def test_what_came_and_went_is_not_told_along_with_another_alert_of_its_key() -> None:
    both = waiting("n1", A)
    both = replace(both, notification=replace(both.notification, also=("b", "c"), also_ids=(B.id, C.id)))
    rows, present = [both, waiting("n2", B, Change.RESOLVED)], {one.id: one for one in (A, over(B), C)}
    first = next_bundle(rows, present).members[0].notification
    assert (first.alert, first.also, first.also_ids) == (A, ("c",), (C.id,))
    assert told(rows[1:], over(B)) == (Form.PASSED, [("n2", "resolved")])


def test_an_end_is_told_after_news_that_also_tell_of_another_alert_that_goes_on() -> None:
    again = waiting("n1", A, Change.REPEATED, heard=True, stands=True)
    again = replace(again, notification=replace(again.notification, also=("b", "c"), also_ids=(B.id, C.id)))
    rows = [again, waiting("n2", A, Change.RESOLVED, Manner.IN_PLACE, heard=True, stands=True, in_place=True)]
    present = {one.id: one for one in (over(A), B, C)}
    first = next_bundle(rows, present).members[0].notification

    assert overtaken(rows, present) == {}
    assert (first.alert, first.change, first.also) == (B, Change.OPENED, ("cap at 1",))
    assert told(rows[1:], over(A)) == (Form.ALONE, [("n2", "resolved")])
    assert overtaken(rows, {one.id: over(one) for one in (A, B, C)}) == {"n1": "n2"}


def test_what_is_about_no_alert_stands_alone_beside_any_number() -> None:
    failure = Waiting("f", undelivered("mail", tell="ops", cause="gone", alerts=2, now=NOON))
    rows = [waiting(f"n{one.id}", one) for one in (A, B, C, D, E)]
    assert told([failure, *rows], A, B, C, D, E) == (Form.ALONE, [("f", "opened")])
    crowd = [failure, *rows, waiting("n6", F)]
    assert told(crowd, A, B, C, D, E, F) == (Form.ROUNDUP, [(f"n{n}", "opened") for n in range(1, 7)])


def test_what_people_did_after_news_that_waits_is_told_after_it() -> None:
    rows = [waiting("n1", A), waiting("n2", A, Change.UPDATED), waiting("n3", A, Change.ACKNOWLEDGED)]
    assert (overtaken(rows, {}), told(rows, A)) == ({"n2": "n1"}, (Form.ALONE, [("n1", "opened")]))
    assert told(rows[2:], A) == (Form.ALONE, [("n3", "acknowledged")])


def test_numbers_that_moved_say_no_less_than_that_somebody_looks_after_it() -> None:
    rows = [waiting("n1", A, Change.ACKNOWLEDGED), waiting("n2", A, Change.UPDATED)]
    assert overtaken(rows, {}) == {"n2": "n1"}


def test_an_end_that_could_only_change_a_message_leaves_it_to_the_news_where_none_stands() -> None:
    rows = [waiting("n1", A), waiting("n2", A, Change.RESOLVED, Manner.IN_PLACE_ONLY)]
    assert (overtaken(rows, {}), told(rows, over(A))) == ({"n2": "n1"}, (Form.PASSED, [("n1", "resolved")]))
    rows = [replace(row, heard=True, stands=True) for row in rows]
    assert (overtaken(rows, {}), told(rows, over(A))) == ({"n1": "n2"}, (Form.ALONE, [("n2", "resolved")]))


def test_only_what_needs_a_message_goes_nowhere_where_none_stands() -> None:
    lonely = [waiting("n1", A, Change.ACKNOWLEDGED, Manner.IN_PLACE_ONLY), waiting("n2", B, manner=Manner.THREAD)]
    others = [waiting("n3", C, Change.RESOLVED, Manner.IN_PLACE), waiting("n4", D)]
    assert footless([*lonely, *others], {}) == lonely
    assert footless([replace(row, stands=True) for row in lonely], {}) == []


CASES = st.tuples(st.integers(1, 6), st.sampled_from(list(Change)), st.sampled_from(list(Manner)), st.booleans())


@given(st.lists(CASES, max_size=20), st.sets(st.integers(1, 6)))
def test_sending_bundle_after_bundle_tells_every_alert_exactly_once_and_none_that_is_over_as_news(
    given_rows: list[tuple[int, Change, Manner, bool]], ended: set[int]
) -> None:
    present = {n: over(alert(id=n)) if n in ended else alert(id=n) for n in range(1, 7)}
    heard = {number: any(h for n, _, _, h in given_rows if n == number) for number in present}
    left = [
        waiting(f"n{place}", alert(id=number), change, manner, heard=heard[number], stands=heard[number])
        for place, (number, change, manner, _) in enumerate(given_rows)
        if number in ended or not change.ends
    ]
    left = [replace(row, in_place=row.stands and row.notification.manner is not Manner.POST) for row in left]
    wanted = {row.notification.alert.id for row in left}
    seen: list[int] = []
    dropped = set()
    while left:
        gone = overtaken(left, present)
        left = [row for row in left if row.outbox_id not in gone]
        nowhere = footless(left, present)
        dropped |= {row.notification.alert.id for row in nowhere}
        left = [row for row in left if row not in nowhere]
        if not left:
            break
        bundle = next_bundle(left, present)
        assert bundle.members
        for member in bundle.members:
            number = member.notification.alert.id
            assert number not in seen or member.follows
            assert not (number in ended and member.notification.change.is_news)
            seen.append(number)
        done = {member.outbox_id for member in bundle.members}
        left = [row for row in left if row.outbox_id not in done]
    assert set(seen) | dropped == wanted
    assert all(seen.count(number) <= 2 for number in seen)


def test_a_storm_is_a_list_and_what_came_little_by_little_or_waited_for_the_end_of_an_outage_is_not() -> None:
    rows = [waiting(f"n{number}", alert(id=number)) for number in range(1, MOST_ALONE + 2)]
    polls = [
        replace(row, notification=replace(row.notification, created_at=NOON + number * MINUTE))
        for number, row in enumerate(rows)
    ]
    assert (
        most_alone(rows, changes=True) == most_alone([replace(rows[0], tries=1), *rows[1:]], changes=True) == MOST_ALONE
    )
    assert (
        most_alone(polls, changes=True)
        == most_alone([replace(rows[0], tries=3), *rows[1:]], changes=True)
        == MOST_AFTER_OUTAGE
    )


def test_what_quiet_hours_held_back_is_one_summary_on_every_channel() -> None:
    rows = [waiting("n1", A, held=True), waiting("n2", B, held=True)]
    assert {most_alone(rows, changes=changes) for changes in (True, False)} == {1}
    assert most_alone(rows[:1], changes=False) == MOST_ALONE
