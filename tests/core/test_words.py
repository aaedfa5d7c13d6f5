"""Figures as people read them."""

from datetime import timedelta

import pytest

from flowy_watch.core.finding import Severity
from flowy_watch.core.words import credit_words, person_words, slack_account, span_words


@pytest.mark.parametrize(
    ("micro", "words"),
    [
        (0, "0"),
        (1, "<0.01"),
        (-1, "-<0.01"),
        (9_999, "<0.01"),
        (10_000, "0.01"),
        (100_000, "0.1"),
        (995_000, "1"),
        (12_500_000, "12.5"),
        (4_800_000_000, "4,800"),
        (-1_250_000_000, "-1,250"),
        (9 * 10**18, "9,000,000,000,000"),
    ],
)
def test_credits_are_grouped_and_a_trace_is_never_nothing(micro: int, words: str) -> None:
    assert credit_words(micro) == words


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(), "0 s"),
        (timedelta(seconds=89), "89 s"),
        (timedelta(seconds=90), "2 min"),
        (timedelta(minutes=89), "89 min"),
        (timedelta(minutes=90), "1 h 30 min"),
        (timedelta(hours=3), "3 h"),
        (timedelta(hours=11, minutes=59), "11 h 59 min"),
        (timedelta(hours=20, minutes=10), "20 h"),
        (timedelta(hours=48), "2 days"),
        (timedelta(days=30), "30 days"),
    ],
)
def test_a_span_is_told_as_finely_as_people_need(span: timedelta, words: str) -> None:
    assert span_words(span) == words


def test_a_severity_is_written_in_small_letters() -> None:
    assert [severity.word for severity in Severity] == ["info", "warning", "critical"]


@pytest.mark.parametrize(
    ("by", "words"),
    [
        (slack_account("ana", "U0ANA"), "ana on Slack"),
        (slack_account("", "U0ANA"), "U0ANA on Slack"),
        (slack_account("eve (U0BOB)", "U0EVE"), "eve (U0BOB) on Slack"),
        ("ana", "ana"),
        ("slack: the bot", "slack: the bot"),
        ("", ""),
    ],
)
def test_who_pressed_in_slack_is_a_person_in_a_sentence(by: str, words: str) -> None:
    assert person_words(by) == words
