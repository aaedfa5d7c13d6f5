"""What an alert says, in the order people need it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flowy_watch.core.alert import Change, Status
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.message import Dialect, PlainMessage
from flowy_watch.core.usage import CREDIT
from flowy_watch.detectors import DETECTORS
from flowy_watch.render import Reader, Renderer

from .notices import (
    BALANCE,
    BLIND,
    CAP,
    KEYS_URL,
    NOW,
    RENDERER,
    SAFEGUARD,
    STAKES,
    flat,
    mail,
    notification,
    parts_of,
    slack,
    words,
)

OPENED = notification(owner="media-team")


def in_order(text: str, *pieces: str) -> bool:
    place = -1
    for piece in pieces:
        place = text.find(piece, place + 1)
        if place < 0:
            raise AssertionError(f"{piece!r} is missing or too early in:\n{text}")
    return True


def test_the_first_line_alone_tells_which_key_and_how_bad() -> None:
    line = "CRITICAL prod-render is at 96 % of its daily cap (4,800 of 5,000 credits)"
    assert slack(OPENED).text == line
    assert mail(OPENED).subject == line
    assert slack(OPENED).blocks[0]["text"]["text"] == f"🔴 {line}".replace("96 %", "96\u00a0%")
    assert "96\u00a0%" in mail(OPENED).html


@pytest.mark.parametrize("text", [flat(mail(OPENED).text), flat(words(slack(OPENED)))])
def test_an_alert_about_a_key_says_everything_in_the_order_of_need(text: str) -> None:
    assert in_order(
        text,
        "Key prod-render (…4f2a) · owner media-team",
        "96 % of the cap is spent.",
        "Spent today 4,800 of 5,000 credits · 1,200 per hour now",
        "Cap hit at about 14:15 UTC (15:15 CET)",
        "Can still be lost: 200 today, up to 5,000 more right after 00:00 UTC (01:00 CET)",
        "Balance left 12,340",
        "Expected? flowy-watch ack 12",
        "flowy-watch silence prod-render --until 2026-11-24T00:00Z",
        "Revoke now, by an owner or editor",
        "Settings → API keys → prod-render (…4f2a) → Revoke",
        "Stops at once everything that uses this key",
        "Revoked it? flowy-watch ack 12 --revoked Within two polls flowy-watch says whether the key is quiet",
        "Replace: a new key with a daily cap of 2–3× a normal day",
        "Find the leak",
        "Alert 12",
        "flowy-watch silence 'prod-render' --for 24h",
        "flowy-watch why 12",
    )


def test_a_suspicion_offers_the_softer_stop_before_the_revoke() -> None:
    text = flat(mail(notification(replace(CAP, suspicious_only=True))).text)

    assert in_order(text, "Softer stop", "prod-render (…4f2a) → daily cap = 4,800", "Stolen? Revoke now", "→ Revoke")


def test_a_spent_cap_is_not_offered_as_a_stop_for_today() -> None:
    spent = replace(CAP, suspicious_only=True, stakes=replace(STAKES, spent_today=5000 * CREDIT, cap_hit_at=None))
    text = flat(mail(notification(spent)).text)

    assert "Cap spent: new runs are refused until 00:00 UTC (01:00 CET)" in text
    assert in_order(text, "Its cap holds it until 00:00 UTC (01:00 CET)", "Stolen? Revoke now")
    assert "daily cap =" not in text


def test_nothing_is_invented_where_nothing_is_known() -> None:
    unknown = replace(STAKES, daily_cap=None, cap_hit_at=None, at_risk_today=None, at_risk_next_day=None, balance=None)
    text = mail(notification(replace(CAP, stakes=unknown, last_four="", evidence=()))).text

    assert "Spent today 4,800 credits" in text
    assert "No daily cap\n" in text
    assert "Can still be lost: no limit is known" in text
    assert not any(word in text for word in ("Balance", "Cap hit", "None", "owner media", "(…"))


def test_an_alert_without_figures_has_no_money_part() -> None:
    assert "Spent" not in mail(notification(replace(CAP, stakes=None))).text


def test_a_reset_before_the_cap_is_said() -> None:
    slow = replace(CAP, stakes=replace(STAKES, cap_hit_at=None))
    assert "the reset at 00:00 UTC (01:00 CET) comes before the cap" in flat(mail(notification(slow)).text)


@pytest.mark.parametrize(
    ("change", "start"),
    [
        (Change.ESCALATED, "CRITICAL, now worse: prod-render is"),
        (Change.REPEATED, "STILL CRITICAL: prod-render is"),
        (Change.RESOLVED, "Resolved: prod-render is"),
        (Change.STOPPED, "Stopped: prod-render is"),
        (Change.DISMISSED, "No anomaly: prod-render is"),
        (Change.ACKNOWLEDGED, "Acknowledged by ana: prod-render is"),
        (Change.EXPECTED, "Marked as expected by ana: prod-render is"),
    ],
)
def test_a_change_is_told_in_the_first_words(change: Change, start: str) -> None:
    what = notification(change=change, alert={"acknowledged_by": "ana"})
    assert mail(what).subject.startswith(start)


def test_an_end_is_short_and_says_when_and_how_much() -> None:
    text = flat(mail(notification(change=Change.RESOLVED)).text)

    assert "Began 14:05 UTC (15:05 CET), ended 16:20 UTC (17:20 CET) after 2 h 15 min." in text
    assert "Spent by then: 4,800 of 5,000 credits" in text
    assert "Revoke" not in text
    assert "silence" not in text


def test_an_acknowledgement_says_who_and_until_when() -> None:
    ana = {"status": Status.ACKNOWLEDGED, "acknowledged_by": "ana", "acknowledged_until": NOW + timedelta(hours=24)}
    text = flat(mail(notification(change=Change.ACKNOWLEDGED, alert=ana)).text)

    assert "ana looks after this until 24 Nov 14:05 UTC (15:05 CET)." in text


def test_a_changed_safeguard_is_shown_before_and_after_and_accuses_nobody() -> None:
    text = flat(mail(notification(SAFEGUARD)).text)

    assert in_order(text, "Before: 5,000 credits a day → now: no cap", "Planned? All is well.", "Put it back")
    assert "Stolen" not in text


def test_an_empty_balance_names_the_keys_that_burn_most_and_says_top_up() -> None:
    text = flat(mail(notification(BALANCE)).text)

    assert in_order(text, "prod-render 4,800", "At zero every run of every key stops", "Top up")
    assert "flowy-watch silence '*' --kind balance --for 24h" in text


def test_blindness_says_what_is_not_watched_since_when_and_what_to_check() -> None:
    text = flat(mail(notification(BLIND)).text)

    assert in_order(text, "Not watched: every key", "since 13:50 UTC (14:50 CET)", "No answer.", "flowy-watch check")


def test_other_alerts_of_the_same_key_are_told_with_it() -> None:
    also = notification(also=("prod-render spent 900 credits in the last hour",), note="the silence has ended")
    text = flat(mail(also).text)

    assert "It also spent 900 credits in the last hour" in text
    assert "Told now because the silence has ended." in text


def test_the_way_to_press_is_a_link_where_the_address_is_known() -> None:
    assert f'href="{KEYS_URL}"' in mail(OPENED).html
    assert KEYS_URL in mail(OPENED).text
    assert KEYS_URL in str(slack(OPENED).blocks)


@pytest.mark.parametrize("url", ["", "javascript:alert(1)"])
def test_without_a_web_address_there_is_no_link(url: str) -> None:
    renderer = Renderer(Reader("", url, ZoneInfo("UTC")))

    assert "href" not in renderer.render(OPENED, Dialect.EMAIL).html  # type: ignore[union-attr]
    assert "'url'" not in str(renderer.render(OPENED, Dialect.SLACK).blocks)  # type: ignore[union-attr]


def test_a_test_message_is_plainly_one_in_every_dialect() -> None:
    for dialect in Dialect:
        assert "Nothing happened, nothing is to be done" in str(RENDERER.render_test(dialect, "ops", NOW))


def test_plain_is_the_text_of_the_mail() -> None:
    assert RENDERER.render(OPENED, Dialect.PLAIN) == PlainMessage(mail(OPENED).text)


@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("kind", DETECTORS)
@pytest.mark.parametrize("change", Change)
def test_every_kind_of_alert_has_words_for_every_change(kind: str, change: Change, severity: Severity) -> None:
    finding = replace(CAP, kind=kind, severity=severity)
    for about in (finding, replace(finding, key_id=None, key_name="", stakes=None, suspicious_only=True)):
        assert mail(notification(about, change)).text
        assert slack(notification(about, change)).blocks


def pressable(finding: Finding, dialect: Dialect = Dialect.SLACK_BUTTONS, **more: Any) -> list[str]:
    message = RENDERER.render(notification(finding, **more), dialect)
    return [part["action_id"] for part in parts_of(message.blocks) if "action_id" in part]  # type: ignore[union-attr]


def test_a_key_that_passes_through_the_meter_can_be_blocked_there() -> None:
    metered = replace(CAP, meter_key="0123456789abcdef")
    block = "flowy-watch/block/12"

    pressed = pressable(metered)
    assert pressed[-3:] == [block, "flowy-watch/open/12", "flowy-watch/stop/12"]
    assert block not in pressable(CAP)
    text = " ".join(mail(notification(metered)).text.split())
    assert "Faster: block it at the meter flowy-watch block" in text
    assert "What goes past it goes on: revoke too." in text


def test_spend_that_is_not_exact_says_so() -> None:
    assert CAP.stakes
    priced = replace(CAP, stakes=replace(CAP.stakes, remark="by price, from meter"))

    text = " ".join(mail(notification(priced)).text.split())
    assert "per hour now (by price, from meter)" in text
    assert "by price" not in mail(notification(CAP)).text


def test_where_somebody_listens_an_alert_can_be_pressed() -> None:
    spike = replace(CAP, kind="spike")
    ours, opens = ["flowy-watch/ack/12", "flowy-watch/silence/12"], "flowy-watch/open/12"

    stop = "flowy-watch/stop/12"
    assert pressable(spike) == [*ours, "flowy-watch/expect/12", opens, stop]
    assert pressable(CAP) == [*ours, opens, stop]
    assert pressable(BLIND) == ours
    assert pressable(replace(spike, kind="last_used", period="revoked")) == [*ours, opens, stop]
    assert pressable(spike, change=Change.ACKNOWLEDGED) == [opens, stop]
    assert pressable(spike, change=Change.RESOLVED) == []
    assert pressable(spike, Dialect.SLACK) == [opens]


def test_whoever_looks_after_an_alert_still_reads_how_to_stop_it() -> None:
    ana = {"status": Status.ACKNOWLEDGED, "acknowledged_by": "ana"}
    taken = slack(notification(change=Change.ACKNOWLEDGED, alert=ana))

    assert words(taken).startswith("👀 Acknowledged by ana: prod-render is at 96 %")
    assert in_order(words(taken), "ana looks after this", "Spent today 4,800", "Revoke now", "Open API keys in Flowy")
    assert "flowy-watch ack" not in words(taken)


def test_a_silenced_alert_says_by_whom_and_until_when() -> None:
    told = notification(change=Change.SILENCED, note="silence 3 by slack:ana (U0ANA) until 2026-11-24 14:05 UTC")
    assert "Nothing more of this key is told: silence 3 by slack:ana (U0ANA) until" in words(slack(told))
