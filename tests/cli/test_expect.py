"""Somebody knows better: expected use is not told, and a key that cried wolf is judged more leniently."""

from datetime import timedelta

from tests.cli.rig import Rig, now


def woken(rig: Rig) -> int:
    """A dormant key has moved, and was told."""
    rig.good("poll")
    rig.wake_dormant()
    rig.good("poll")
    return int(rig.alert("last_used", "old-import")["id"])


def tomorrow() -> str:
    return (now() + timedelta(days=1)).isoformat()


def test_expected_use_is_withheld_and_says_by_whom(rig: Rig) -> None:
    rig.good("poll")
    said = rig.good("expect", "old-import", "--until", tomorrow(), "--by", "ana", "--why", "migration").out
    assert said.startswith("Expected (silence 1): old-import until ")
    told = len(rig.told())
    rig.wake_dormant()
    rig.good("poll")
    alert = rig.alert("last_used", "old-import")
    assert len(rig.told()) == told
    assert "marked as expected, silence 1 on old-import by ana" in rig.good("why", alert["id"]).out


def test_expecting_takes_on_what_is_open(rig: Rig) -> None:
    alert = woken(rig)
    printed = rig.good("expect", "old-import", "--for", "24h", "--credits", "500", "--json").json
    assert (printed["alerts"], printed["credits"]) == ([alert], 500)
    assert rig.alert("last_used", "old-import")["status"] == "acknowledged"
    assert "expected" in rig.good("why", alert).out
    assert rig.good("status", "--json").json["silences"][0]["expected"] is True


def test_a_cap_is_told_whatever_is_expected(rig: Rig) -> None:
    rig.good("poll")
    rig.good("expect", "prod-render", "--for", "24h")
    rig.near_cap()
    rig.good("poll")
    assert [post for post in rig.told() if "prod-render is at 97 %" in post]


def test_expecting_a_key_that_is_not_there_is_refused(rig: Rig) -> None:
    rig.good("poll")
    ran = rig.run("expect", "prod-rendr", "--for", "1h")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "no key is called prod-rendr; `flowy-watch status` lists them" in ran.err


def test_an_expectation_needs_an_end_and_an_amount_that_is_one(rig: Rig) -> None:
    assert "--until TIME or --for 24h" in rig.run("expect", "prod-render").err
    assert rig.run("expect", "prod-render", "--for", "1h", "--credits", "nan").code == 2


def test_no_anomaly_ends_the_alert_and_it_does_not_come_back_the_same_day(rig: Rig) -> None:
    alert = woken(rig)
    rig.good("resolve", alert, "--not-an-anomaly", "--by", "ana")
    rig.good("poll")
    assert rig.alert("last_used", "old-import")["status"] == "resolved"
    assert "no anomaly" in rig.good("why", alert).out
    assert rig.good("status", "--json").json["silences"][0]["expected"] is True
