"""The daemon as an init system meets it: real processes, real signals."""

import signal
import sqlite3
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

from tests.cli.rig import SECRETS, Rig, spawned, wait_until

from .running import Running


def delivered(rig: Rig, posts: int, mails: int) -> None:
    wait_until(lambda: (len(rig.told()), len(rig.mailed())) == (posts, mails), f"{posts} posts and {mails} mails")


def settled(rig: Rig) -> None:
    """Sent, and recorded as sent."""
    wait_until(lambda: not rig.good("status", "--json").json["outbox"]["waiting"], "an empty outbox")


def test_run_says_it_is_ready_and_polls_at_once(rig: Rig) -> None:
    with Running(rig) as daemon:
        daemon.until_heard("READY=1")
        daemon.until_polled()
        assert daemon.heard()[0] == "READY=1"
        status = rig.good("status", "--json").json
        assert (status["last_poll"]["outcome"], status["last_poll"]["keys"]) == ("good", 25)


def test_sigterm_ends_it_within_five_seconds_with_exit_0(rig: Rig) -> None:
    with Running(rig) as daemon:
        daemon.until_polled()
        code, took = daemon.stopped()
        assert (code, took < 5) == (0, True)
        assert daemon.heard()[-1] == "STOPPING=1"
        assert daemon.count("daemon.stopped") == 1


def test_neither_sighup_nor_sigterm_waits_for_a_source_or_takes_that_for_a_failure(rig: Rig) -> None:
    rig.flowy.answers.clear()
    with Running(rig) as daemon:
        wait_until(lambda: rig.flowy.requests, "a poll on its way")
        daemon.send(signal.SIGHUP)
        wait_until(lambda: len(rig.flowy.requests) > 1, "the next poll on its way")
        code, took = daemon.stopped()
        assert (code, took < 4) == (0, True)  # a source may take 5 s here
        assert daemon.count("poll.interrupted") == 2
    rig.flowy.answers.set()
    assert rig.good("db", "info", "--json").json["rows"]["polls"] == 0


def test_sigterm_ends_it_in_time_while_slack_does_not_answer(rig: Rig) -> None:
    rig.good("poll")
    rig.near_cap()
    rig.slack.hang(on="chat.postMessage")
    with Running(rig) as daemon:
        wait_until(lambda: "chat.postMessage" in rig.slack.requests, "a post on its way")
        code, took = daemon.stopped()
        assert (code, took < 6) == (0, True)


def test_a_second_daemon_on_the_same_database_is_refused(rig: Rig) -> None:
    with Running(rig) as daemon:
        daemon.until_heard("READY=1")
        second = spawned("--config", rig.config, "run", "--no-web")
        assert (second.code, second.err.count("\n")) == (1, 1)
        assert "another flowy-watch already watches" in second.err
        assert daemon.process.poll() is None


def test_a_poll_by_hand_works_beside_the_daemon(rig: Rig) -> None:
    with Running(rig) as daemon:
        daemon.until_polled()
        rig.near_cap()
        assert "97 %" in rig.good("poll").out
        delivered(rig, 1, 1)


def test_what_a_person_does_at_the_prompt_holds_for_the_daemon(rig: Rig) -> None:
    alert = rig.breached()
    with Running(rig) as daemon:
        daemon.until_polled()
        rig.good("ack", alert["id"])
        assert rig.alert("cap", "prod-render")["status"] == "acknowledged"


def test_a_broken_configuration_is_refused_on_sighup_and_watching_goes_on(rig: Rig) -> None:
    with Running(rig) as daemon:
        daemon.until_polled()
        rig.config.write_text("[poll\nevery =")
        daemon.send(signal.SIGHUP)
        daemon.until_logged("reload.refused")
        daemon.until_heard("READY=1", times=2)
        assert "RELOADING=1" in daemon.heard()
        assert daemon.stopped()[0] == 0


def test_another_database_is_refused_on_sighup(rig: Rig) -> None:
    with Running(rig) as daemon:
        daemon.until_polled()
        rig.database = rig.folder / "another.db"
        rig.configure()
        daemon.send(signal.SIGHUP)
        daemon.until_logged("reload.refused")
        assert not rig.database.exists()


def test_a_good_configuration_is_taken_over_on_sighup(rig: Rig) -> None:
    with Running(rig) as daemon:
        daemon.until_polled()
        rig.configure(every="30m")
        daemon.send(signal.SIGHUP)
        daemon.until_logged("reload.done")
        daemon.until_logged("daemon.ready", times=2)
        daemon.until_logged("poll", times=2)
        ready = [line for line in daemon.log() if line["event"] == "daemon.ready"]
        assert [line["every"] for line in ready] == [3600, 1800]
        daemon.until_heard("READY=1", times=2)


def test_delivery_works_after_a_reload(rig: Rig) -> None:
    rig.good("poll")
    with Running(rig) as daemon:
        daemon.until_polled()
        rig.near_cap()
        rig.configure(every="30m")
        daemon.send(signal.SIGHUP)
        daemon.until_logged("reload.done")
        delivered(rig, 1, 1)


def test_nothing_is_lost_or_told_twice_after_sigkill(rig: Rig) -> None:
    rig.good("poll")
    rig.near_cap()
    with Running(rig, name="first") as daemon:
        delivered(rig, 1, 1)
        settled(rig)
        daemon.send(signal.SIGKILL)
        assert daemon.process.wait(10) == -signal.SIGKILL
    before = rig.alerts()
    with Running(rig, name="second") as daemon:
        daemon.until_heard("READY=1")
        daemon.until_polled()
        assert [(a["id"], a["opened_at"]) for a in rig.alerts()] == [(a["id"], a["opened_at"]) for a in before]
        settled(rig)
        assert daemon.stopped()[0] == 0
    delivered(rig, 1, 1)
    opened = sqlite3.connect(rig.database)
    assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    opened.close()


def test_what_was_waiting_when_it_was_killed_is_sent_after_the_restart(rig: Rig) -> None:
    rig.good("poll")
    rig.near_cap()
    rig.slack.limit(2, on="chat.postMessage")
    with Running(rig, name="first") as daemon:
        daemon.until_logged("notice.later")
        delivered(rig, 0, 1)
        daemon.until_logged("notice.sent")
        daemon.send(signal.SIGKILL)
        daemon.process.wait(10)
    with Running(rig, name="second") as daemon:
        delivered(rig, 1, 1)
        daemon.until_logged("notice.sent")
        settled(rig)
        assert daemon.stopped()[0] == 0
    delivered(rig, 1, 1)


def test_a_source_that_fails_is_logged_and_the_daemon_stays(rig: Rig) -> None:
    rig.flowy.refuses = 404
    with Running(rig) as daemon:
        daemon.until_polled()
        line = next(line for line in daemon.log() if line["event"] == "poll")
        assert (line["outcome"], line["level"]) == ("failed", "warning")
        assert daemon.stopped()[0] == 0


def test_a_poll_that_takes_longer_than_the_time_between_polls_is_said_once(rig: Rig) -> None:
    rig.configure(every="1s")
    rig.flowy.answers.clear()
    with Running(rig) as daemon:
        daemon.until_logged("poll.late")
        time.sleep(2.2)  # two more times at which a poll was due
        rig.flowy.answers.set()
        daemon.until_logged("poll", times=2)
        warnings = [line["event"] for line in daemon.log() if line["level"] == "warning"]
        assert warnings == ["poll.late"]


def test_the_log_is_json_away_from_a_terminal_and_holds_no_secret(rig: Rig) -> None:
    rig.good("poll")
    rig.near_cap()
    with Running(rig) as daemon:
        delivered(rig, 1, 1)
        daemon.until_logged("notice.sent", times=2)
        daemon.stopped()
        lines = daemon.log()
        text = daemon.log_file.read_text()
    for line in lines:
        assert line["level"] in ("info", "warning", "error")
        assert datetime.fromisoformat(line["timestamp"]).utcoffset() is not None
    assert {"daemon.ready", "poll", "alert.opened", "notice.sent", "daemon.stopped"} <= {ln["event"] for ln in lines}
    for secret in SECRETS:
        assert secret not in text


def test_the_watchdog_is_fed_when_systemd_asks_for_it(rig: Rig) -> None:
    with Running(rig, env={"WATCHDOG_USEC": "600000"}) as daemon:
        daemon.until_heard("WATCHDOG=1", times=3)
        assert daemon.heard()[0] == "READY=1"


MIGRATED = r"""
import sys
from flowy_watch.app import open_store
from flowy_watch.cli.watch import migrate_apart
from flowy_watch.settings import parse
settings = parse(f'store.url = "sqlite:///{sys.argv[1]}"\n[source]\ntoken = "x"', environ={})
migrate_apart(settings)
open_store(settings).close()
sys.exit("alembic" in sys.modules)
"""


def test_what_the_first_start_needs_for_its_database_does_not_stay_in_memory(tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", MIGRATED, str(tmp_path / "watch.db")], check=False).returncode == 0
