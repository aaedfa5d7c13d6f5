"""What people do: one acknowledgement wins, everything is in the log, and expectations have an amount."""

from flowy_watch import actions
from flowy_watch.core.alert import Alert
from flowy_watch.core.silence import Silence
from flowy_watch.core.usage import CREDIT
from flowy_watch.show import status_fields, story_lines
from flowy_watch.store import Store
from tests.builders import DAY, HOUR, MINUTE, NOON, snapshot

from .rigs import TELLING, Rig

POLL = 5 * MINUTE


def near_cap(store: Store) -> Rig:
    rig = Rig(store, "cap")
    rig.spend(NOON - POLL, 40)
    rig.spend(NOON, 97)
    return rig


def ack(store: Store, by: str, at: int, **more: object) -> Alert:
    given = {"why": "", "until": None} | more
    return actions.acknowledge(store, 1, by=by, telling=TELLING, now=NOON + at * MINUTE, **given)  # type: ignore[arg-type]


def story(store: Store) -> list[str]:
    with store.read() as work:
        alert = work.alerts.get(1)
        assert alert
        return [line["line"] for line in story_lines(work, alert)]


def expected(rig: Rig, credits_: int | None = None, key: str = "render", at: int = 1) -> Silence:
    most = None if credits_ is None else credits_ * CREDIT
    made, _ = actions.expect(
        rig.store,
        key,
        until=NOON + 2 * DAY,
        at_most=most,
        by="ana",
        why="launch",
        telling=TELLING,
        now=NOON + at * MINUTE,
    )
    return made


def test_of_two_acknowledgements_the_first_wins_and_both_are_in_the_log(store: Store) -> None:
    near_cap(store)
    ack(store, "ana", 1)
    second = ack(store, "ben", 2, why="on it", until=NOON + HOUR)
    assert (second.acknowledged_by, second.acknowledged_until) == ("ana", None)
    assert [line for line in story(store) if line.startswith("ackn")] == [
        "acknowledged: render is at 97 % of its daily cap (97 of 100 credits) (by ana)",
        "acknowledged again: render is at 97 % of its daily cap (97 of 100 credits) (by ben): "
        "already acknowledged by ana; on it",
    ]


def test_whoever_acknowledged_may_do_so_again_and_anybody_once_it_is_over(store: Store) -> None:
    near_cap(store)
    ack(store, "ana", 1)
    assert ack(store, "ana", 2, until=NOON + HOUR).acknowledged_until == NOON + HOUR
    assert ack(store, "ben", 61).acknowledged_by == "ben"


def test_silences_and_their_ends_are_in_the_log_of_what_they_are_about_and_in_the_status(store: Store) -> None:
    near_cap(store)
    for pattern in ("ren*", "other"):
        actions.silence(store, pattern, until=NOON + HOUR, kind="cap", by="ana", why="test", now=NOON + MINUTE)
    actions.unsilence(store, 1, by="ben", why="done", now=NOON + 2 * MINUTE)
    acts = [line for line in story(store) if "silenced: " in line]
    assert acts == [
        "silenced: silence 1 on ren*, cap alone, until 2026-03-02 13:00 UTC (by ana): test",
        "unsilenced: silence 1 (by ben): done",
    ]
    ack(store, "ana", 3)
    with store.read() as work:
        log = status_fields(work, NOON + HOUR)["log"]
    assert [(one["act"], one["by"]) for one in log] == [
        ("acknowledged", "ana"),
        ("unsilenced", "ben"),
        ("silenced", "ana"),
        ("silenced", "ana"),
    ]


def test_an_expectation_covers_half_as_much_again_and_beyond_that_opens_an_alert_that_says_so(store: Store) -> None:
    rig = Rig(store, "cap")
    rig.spend(NOON, 1000, cap=100_000)
    expected(rig, 5000)
    rig.spend(NOON + POLL, 7500, cap=100_000)
    assert rig.told() == []
    rig.spend(NOON + 2 * POLL, 7600, cap=100_000)
    rig.spend(NOON + 3 * POLL, 7700, cap=100_000)
    assert rig.told() == [("spike", "opened", 3)]
    with store.read() as work:
        (alert,) = work.alerts.all()
    assert alert.finding.title == "render spent 7,700 credits today; 5,000 were expected"
    assert alert.finding.evidence[0] == (
        "Expected 5,000 a day until Wed 04 Mar 12:00 UTC by ana (launch); 7,700 so far today."
    )
    rig.spend(NOON + 4 * POLL, 15_100, cap=100_000)
    assert rig.told()[-1] == ("spike", "escalated", 4)


def test_the_next_day_of_an_expectation_is_a_day_of_its_own(store: Store) -> None:
    rig = Rig(store, "cap")
    rig.spend(NOON, 1000, cap=100_000)
    expected(rig, 5000)
    rig.spend(NOON + 11 * HOUR, 8000, cap=100_000)
    rig.spend(NOON + 13 * HOUR, 100, cap=100_000)
    rig.spend(NOON + 14 * HOUR, 8000, cap=100_000)
    assert rig.told() == [("spike", "opened", 3), ("spike", "opened", 3)]


def test_the_widest_of_several_expectations_holds(store: Store) -> None:
    rig = Rig(store, "cap")
    rig.spend(NOON, 1000, cap=100_000)
    expected(rig, 5000)
    expected(rig, 9000, key="ren*")
    rig.spend(NOON + POLL, 8000, cap=100_000)
    assert rig.told() == []


def test_without_an_amount_it_is_what_the_key_is_on_course_to_spend_today(store: Store) -> None:
    rig = Rig(store, "cap")
    for n in range(13):  # 100 an hour
        rig.spend(NOON + n * POLL, 1000 + n * 100 / 12, cap=100_000)
    assert expected(rig, at=60).credits_at_most == 2200 * CREDIT  # 1,100, and eleven hours more


def test_it_is_twice_a_usual_day_at_least(store: Store) -> None:
    rig = Rig(store, "cap")
    for day in (4, 3, 2, 1):
        rig.spend(NOON - day * DAY, 400, cap=100_000)
    rig.spend(NOON, 0, cap=100_000)
    assert expected(rig).credits_at_most == 800 * CREDIT


def test_of_a_key_that_never_spent_it_is_half_the_cap_and_without_a_cap_nothing_is_known(store: Store) -> None:
    rig = Rig(store, "cap")
    rig.poll(NOON, snapshot(0, cap=1000), snapshot(0, key_id="key_2", name="free"))
    assert expected(rig).credits_at_most == 500 * CREDIT
    assert expected(rig, key="free").credits_at_most is None


def test_a_dismissed_alert_is_expected_up_to_an_amount_too(store: Store) -> None:
    near_cap(store)
    actions.resolve(store, 1, by="ana", why="", no_anomaly=True, telling=TELLING, now=NOON + MINUTE)
    with store.read() as work:
        (made,) = work.alerts.silences(NOON + 2 * MINUTE)
    assert made.credits_at_most is not None
