"""From figures at the source to words on Slack and in the mailbox, over real sockets."""

import pytest

from tests.cli.rig import SECRETS, Rig, now

ALERT_FIELDS = [
    "id", "kind", "severity", "status", "key_id", "key_name", "title", "opened_at", "last_seen_at", "resolved_at"
]  # fmt: skip

INCIDENTS = [
    ("near_cap", "cap", "prod-render", ["prod-render", "97 %", "970", "1,000 credits", "Revoke"]),
    ("wake_dormant", "last_used", "old-import", ["old-import", "60 days", "Revoke"]),
    ("drain_balance", "balance", None, ["900 credits", "Top up"]),
    ("new_key_burns", "spike", "fresh-key", ["fresh-key", "600", "60%", "1,000", "Revoke"]),
]


def test_a_quiet_day_tells_nothing(rig: Rig) -> None:
    for _ in range(3):
        assert "25 keys, 0 skipped, 0 changes" in rig.good("poll").out
    assert rig.told() == rig.mailed() == rig.alerts() == []


def test_a_poll_reads_every_page(rig: Rig) -> None:
    rig.good("poll")
    assert len([path for path in rig.flowy.requests if "/keys" in path]) == 3
    assert {key["name"] for key in rig.good("status", "--json").json["keys"]} == set(rig.flowy.keys)


@pytest.mark.parametrize(("what", "kind", "name", "words"), INCIDENTS, ids=[row[1] for row in INCIDENTS])
def test_an_incident_is_told_once_on_both_channels_within_one_poll(
    rig: Rig, what: str, kind: str, name: str | None, words: list[str]
) -> None:
    rig.good("poll")
    if what == "new_key_burns":
        rig.new_key()
        rig.good("poll")
    posts, mails = len(rig.told()), len(rig.mailed())
    getattr(rig, what)()
    rig.good("poll")
    assert rig.alert(kind, name)["status"] == "open"
    post, mail = rig.told()[posts:], rig.mailed()[mails:]
    assert (len(post), len(mail)) == (1, 1)
    for word in words:
        assert word in post[0], word
        assert word in mail[0], word
    rig.good("poll")
    assert (len(rig.told()), len(rig.mailed())) == (posts + 1, mails + 1)


def test_a_new_key_that_has_already_burnt_its_cap_when_first_seen_is_critical(rig: Rig) -> None:
    rig.good("poll")
    rig.new_key()
    rig.new_key_burns()
    rig.good("poll")
    assert rig.alert("spike", "fresh-key")["severity"] == "critical"
    assert [mail for mail in rig.mailed() if mail.startswith("CRITICAL fresh-key") and "Revoke" in mail]


def test_incidents_of_one_poll_are_each_told(rig: Rig) -> None:
    rig.good("poll")
    rig.near_cap()
    rig.wake_dormant()
    rig.drain_balance()
    rig.new_key()
    rig.good("poll")
    told, mailed = "\n".join(rig.told()), "\n".join(rig.mailed())
    for word in ("prod-render", "old-import", "fresh-key", "900 credits"):
        assert word in told
        assert word in mailed
    kinds = {(alert["kind"], alert["key_name"]) for alert in rig.alerts()}
    expected = {("cap", "prod-render"), ("last_used", "old-import"), ("balance", None), ("safeguard", "fresh-key")}
    assert kinds >= expected
    before = len(rig.told()), len(rig.mailed())
    rig.good("poll")
    assert (len(rig.told()), len(rig.mailed())) == before


def test_alerts_as_json_have_the_promised_fields_and_no_other(rig: Rig) -> None:
    rig.breached()
    printed = rig.good("alerts", "--json").json
    assert list(printed) == ["alerts"]
    for alert in printed["alerts"]:
        assert list(alert) == ALERT_FIELDS
    alert = rig.alert("cap", "prod-render")
    assert (alert["key_id"], alert["severity"], alert["status"]) == ("key_01", "critical", "open")
    assert alert["opened_at"].startswith(f"{now():%Y-%m-%d}")
    assert alert["opened_at"].endswith("Z")
    assert alert["resolved_at"] is None


def test_what_a_dead_channel_missed_is_delivered_by_a_later_poll_and_told_once(rig: Rig) -> None:
    rig.good("poll")
    rig.near_cap()
    rig.slack.limit(1, on="chat.postMessage")
    rig.good("poll")
    assert (len(rig.told()), len(rig.mailed())) == (0, 1)
    rig.until_delivered()
    assert (len(rig.told()), len(rig.mailed())) == (1, 1)


def test_no_secret_is_stored_printed_or_sent(rig: Rig) -> None:
    alert = rig.breached()
    for words in (
        ["check"], ["check", "--json"], ["status"], ["status", "--json"], ["alerts"], ["why", alert["id"]],
        ["db", "info"], ["notify-test", "ops"], ["notify-test", "mail"], ["export"],
    ):  # fmt: skip
        rig.good(*words)
    rig.flowy.token = "changed"
    assert rig.run("poll").code == 1
    rig.slack.token = "changed"
    assert rig.run("check").code == 1
    stored = b"".join(path.read_bytes() for path in rig.folder.glob("watch.db*"))
    said = "".join(ran.out + ran.err for ran in rig.said)
    sent = "".join(rig.told()) + "".join(mail.raw.decode() for mail in rig.sink.mails)
    assert stored
    for secret in SECRETS:
        assert secret.encode() not in stored
        assert secret not in said
        assert secret not in sent
