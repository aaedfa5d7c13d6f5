"""Somebody revoked the key: the command says so, the polls check it, and people read what came of it."""

from datetime import timedelta

from tests.cli.flowy import instant
from tests.cli.rig import Rig, now


def told(rig: Rig) -> int:
    rig.near_cap()
    rig.good("poll")
    return int(rig.alert("cap", "prod-render")["id"])


def test_a_reported_revoke_is_confirmed_on_slack_within_two_polls(rig: Rig) -> None:
    alert = told(rig)
    said = rig.good("ack", alert, "--revoked", "--by", "ana", "--why", "found in a log").out
    assert said.startswith(f"Reported as revoked, to be checked by the next two polls: {alert}: prod-render")
    rig.flowy.keys["prod-render"].status = "revoked"
    rig.good("poll")
    rig.good("poll")
    assert any("Stopped: prod-render is quiet since" in told for told in rig.told())
    fields = rig.good("why", alert, "--json").json
    assert (fields["status"], fields["stop"]["reported_by"], fields["stop"]["used_at"]) == ("acknowledged", "ana", None)
    story = rig.good("why", alert).out
    assert "reported as revoked: prod-render" in story
    assert "(by ana): found in a log" in story
    assert "confirmed quiet" in story


def test_use_after_the_report_comes_back_as_critical(rig: Rig) -> None:
    alert = told(rig)
    rig.good("ack", alert, "--revoked", "--by", "ana")
    rig.flowy.keys["prod-render"].lastUsedAt = instant(now() + timedelta(seconds=1))  # told in whole seconds
    rig.good("poll")
    assert any("CRITICAL: prod-render was used after ana reported it revoked" in told for told in rig.told())
    assert "the wrong key, or the revoke did not hold" in rig.good("why", alert).out


def test_what_is_about_no_key_cannot_be_revoked_and_a_report_has_no_end(rig: Rig) -> None:
    alert = told(rig)
    assert rig.run("ack", alert, "--revoked", "--for", "1h").code == 2
    assert "there is no alert 99" in rig.run("ack", 99, "--revoked").err
