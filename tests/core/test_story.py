"""What the older message and the thread say once something new was told."""

from dataclasses import replace

import pytest

from flowy_watch.core.alert import Alert, Change, Status
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.notification import Manner, Notification
from flowy_watch.core.story import follow_ups
from tests.builders import NOON

FINDING = Finding("spike", Severity.CRITICAL, "prod-api spent 900 credits", "key_1", "prod-api")
ALERT = Alert(7, FINDING, Status.OPEN, 2, NOON, NOON)


def said(change: Change, *, manner: Manner = Manner.POST) -> list[str]:
    told = Notification("ops", change, ALERT, NOON, manner=manner, note="used at 12:11")
    return [each.note for each in follow_ups(told, first="C:1", earlier="C:1", now="C:2")]


@pytest.mark.parametrize(
    ("change", "pointer", "line"),
    [
        (Change.ESCALATED, "It grew worse, and is told anew further down.", "grew worse: it spent 900 credits"),
        (Change.REOPENED, "It is back, and told anew further down.", "came back: it spent 900 credits"),
        (Change.STOP_FAILED, "Its revoke did not hold: see further down.", "its revoke did not hold: used at 12:11"),
    ],
)
def test_what_goes_on_is_never_called_over(change: Change, pointer: str, line: str) -> None:
    assert said(change) == [pointer, line]


def test_an_end_is_called_over() -> None:
    told = Notification("ops", Change.RESOLVED, replace(ALERT, resolved_at=NOON), NOON)
    pointer, line = follow_ups(told, first="C:1", earlier="C:1", now="C:2")
    assert pointer.note == "It is over: see further down."
    assert line.note.startswith("over, after ")
