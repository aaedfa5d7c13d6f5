"""A running daemon whose Slack messages can be pressed."""

from flowy_watch.core.press import Verb, action_id
from tests.cli.rig import Rig, wait_until

from .running import Running

LISTENING = 'app_token = "xapp-simulated-token"\nallowed_users = ["U0ANA"]'


def test_a_press_is_acted_upon_and_the_message_shows_it(rig: Rig) -> None:
    rig.configure(slack=LISTENING)
    rig.good("poll")
    rig.near_cap()
    with Running(rig) as daemon:
        daemon.until_logged("buttons.connected")
        wait_until(lambda: rig.slack.posts, "the alert")
        ack = action_id(Verb.ACKNOWLEDGE, 1)
        assert ack in str(rig.slack.posts[0].blocks)

        rig.slack.press(ack, user="U0EVE", name="eve")
        wait_until(lambda: rig.slack.privately, "the refusal")
        assert rig.alert("cap", "prod-render")["status"] == "open"

        taken = rig.slack.socket.wait_for_acknowledgement(rig.slack.press(ack))
        assert taken is not None
        assert taken.after < 3
        wait_until(lambda: "Acknowledged by ana on Slack:" in rig.slack.posts[0].text, "the message to change")
        assert rig.alert("cap", "prod-render")["status"] == "acknowledged"

        rig.good("resolve", "1")
        rig.slack.press(ack)
        wait_until(lambda: len(rig.slack.privately) == 2, "the answer about an alert that is over")
        assert "over already" in rig.slack.privately[1].text
        assert daemon.stopped()[0] == 0
        log = daemon.log_file.read_text()
    assert len([post for post in rig.slack.posts if not post.thread_ts]) == 1
    assert "xapp-" not in log
    story = rig.good("why", "1").out
    assert "slack:ana (U0ANA)" in story


def test_a_dead_socket_does_not_hurt_the_watch(rig: Rig) -> None:
    rig.configure(slack=LISTENING.replace("simulated", "revoked"))
    rig.good("poll")
    rig.near_cap()
    with Running(rig) as daemon:
        daemon.until_logged("buttons.lost")
        wait_until(lambda: rig.slack.posts, "the alert")
        wait_until(lambda: "not heard since" in rig.good("status").out, "status to tell of it")
        (told,) = rig.good("status", "--json").json["buttons"]
        assert (told["channel"], told["connected"]) == ("ops", False)
        assert "channels.ops.app_token" in told["trouble"]
        assert daemon.stopped()[0] == 0
    (lost,) = (line for line in daemon.log() if line["event"] == "buttons.lost")
    assert "channels.ops.app_token" in lost["reason"]
    assert "xapp-revoked" not in daemon.log_file.read_text()
    assert rig.good("status", "--json").json["buttons"] == []
