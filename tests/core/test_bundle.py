"""What travels together, and what is out of date: decided from values alone."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from flowy_watch.core.alert import Alert, Change, Status
from flowy_watch.core.bundle import Form, Waiting, next_bundle, overtaken
from flowy_watch.core.notification import Notification, undelivered
from tests.builders import NOON, alert


def waiting(outbox_id: str, about: Alert, change: Change = Change.OPENED, **more: bool) -> Waiting:
    return Waiting(outbox_id, Notification("ops", change, about, NOON, quiet=more.pop("quiet", False)), **more)


def over(one: Alert) -> Alert:
    return replace(one, status=Status.RESOLVED, resolved_at=NOON)


A, B, C, D = (alert(id=number) for number in (1, 2, 3, 4))


def told(bundle_of: list[Waiting], *present: Alert) -> tuple[Form, list[tuple[str, str]]]:
    bundle = next_bundle(bundle_of, {one.id: one for one in present})
    return bundle.form, [(m.outbox_id, m.notification.change.value) for m in bundle.members]


def test_an_alert_is_told_by_its_latest_news_and_as_new_to_those_who_never_heard() -> None:
    rows = [waiting("n1", A), waiting("n2", A, Change.ESCALATED), waiting("n3", A, Change.ACKNOWLEDGED)]
    assert overtaken(rows) == {"n1": "n2", "n3": "n2"}
    assert told(rows, A) == (Form.ALONE, [("n2", "opened")])
    assert told(rows[1:], A) == (Form.ALONE, [("n2", "escalated")])


def test_an_end_is_told_to_those_who_heard_and_is_one_line_for_all_others() -> None:
    rows = [waiting("n1", A, Change.ESCALATED), waiting("n2", A, Change.RESOLVED)]
    assert told(rows, over(A)) == (Form.PASSED, [("n2", "resolved")])
    assert told([replace(row, heard=True) for row in rows], over(A)) == (Form.ALONE, [("n2", "resolved")])


def test_an_alert_that_the_calendar_ended_is_never_told_as_news() -> None:
    assert told([waiting("n1", A)], over(A)) == (Form.PASSED, [("n1", "resolved")])
    assert told([waiting("n1", A, heard=True)], over(A)) == (Form.ALONE, [("n1", "resolved")])


def test_what_is_about_no_alert_stands_alone_beside_any_number() -> None:
    failure = Waiting("f", undelivered("mail", tell="ops", cause="gone", alerts=2, now=NOON))
    rows = [waiting(f"n{one.id}", one) for one in (A, B, C)]
    assert told([failure, *rows], A, B, C) == (Form.ALONE, [("f", "opened")])
    crowd = [failure, *rows, waiting("n4", D)]
    assert told(crowd, A, B, C, D) == (Form.ROUNDUP, [(f"n{n}", "opened") for n in (1, 2, 3, 4)])


@given(
    st.lists(st.tuples(st.integers(1, 6), st.sampled_from(list(Change)), st.booleans(), st.booleans()), max_size=20),
    st.sets(st.integers(1, 6)),
)
def test_sending_bundle_after_bundle_tells_every_alert_exactly_once_and_none_that_is_over_as_news(
    given_rows: list[tuple[int, Change, bool, bool]], ended: set[int]
) -> None:
    present = {n: over(alert(id=n)) if n in ended else alert(id=n) for n in range(1, 7)}
    left = [
        waiting(f"n{place}", alert(id=number), change, quiet=quiet, heard=heard, in_place=quiet and heard)
        for place, (number, change, quiet, heard) in enumerate(given_rows)
        if number in ended or not change.ends
    ]
    wanted = {row.notification.alert.id for row in left}
    gone = set(overtaken(left))
    seen: list[int] = []
    while left:
        bundle = next_bundle(left, present)
        assert bundle.members
        for member in bundle.members:
            assert member.outbox_id not in gone
            number = member.notification.alert.id
            seen.append(number)
            news = member.notification.change in (Change.OPENED, Change.ESCALATED, Change.REPEATED)
            assert not (number in ended and news)
        done = {member.notification.alert.id for member in bundle.members}
        left = [row for row in left if row.notification.alert.id not in done]
    assert sorted(seen) == sorted(wanted)
