"""What people did is kept, whatever is killed the moment their command returns, and whoever does something at once.

Two acts; `ACTS=100 pytest tests/daemon/test_acts_kept.py` takes a hundred.
"""

import os
import signal
import subprocess
from random import Random
from threading import Event
from typing import Any

import pytest

from tests.cli.rig import COMMAND, Rig, environment

from .running import Running

ACTS = int(os.environ.get("ACTS", "2"))


def begin(rig: Rig, *arguments: object) -> "subprocess.Popen[str]":
    words = [*COMMAND, "--config", str(rig.config), *map(str, arguments)]
    return subprocess.Popen(
        words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )


def breached(rig: Rig) -> list[int]:
    """The alerts of all keys near their caps."""
    rig.configure(every="1s", more="[detectors.spike]\nenabled = false\n")
    rig.good("poll")
    for name, key in rig.flowy.keys.items():
        if name.startswith("team-"):
            key.spentToday = 970.0
    rig.good("poll")
    return [alert["id"] for alert in rig.alerts()]


def log_of(rig: Rig) -> list[tuple[str, str, str]]:
    """Act, person and reason, of all that people did."""
    return [(line["act"], line["by"], line["why"]) for line in status(rig)["log"]]


def status(rig: Rig) -> dict[str, Any]:
    return dict(rig.good("status", "--json").json)


@pytest.mark.slow
@pytest.mark.timeout(60 + 20 * ACTS)
def test_an_act_that_returned_0_is_kept_though_all_is_killed_at_once(rig: Rig) -> None:
    alerts, dice = breached(rig), Random(11)
    for number in range(ACTS):
        by, alert = f"person-{number}", alerts[number % len(alerts)]
        silences = dice.random() < 0.5
        words = ("silence", f"job-{number}", "--for", "1h") if silences else ("ack", alert)
        with Running(rig, name=f"life-{number:03d}") as daemon:
            daemon.until_heard("READY=1")
            Event().wait(dice.uniform(0, 0.3))
            command = begin(rig, *words, "--by", by, "--why", f"act {number}")
            killed = number % 3 == 1 and not Event().wait(dice.uniform(0.2, 1.2))
            if killed:
                command.kill()
            command.communicate(timeout=60)
            daemon.send(signal.SIGKILL)
            daemon.process.wait(10)
        state = status(rig)
        mine = [line["act"] for line in state["log"] if line["by"] == by]
        assert command.returncode == 0 or (killed and command.returncode == -signal.SIGKILL)
        assert mine or command.returncode, f"act {number} is not in the log"
        if silences:
            assert mine == [s["by"] and "silenced" for s in state["silences"] if s["pattern"] == f"job-{number}"]
        elif mine == ["acknowledged"]:
            assert by in {a["acknowledged_by"] for a in state["open_alerts"] if a["id"] == alert}
        else:
            assert mine in ([], ["seconded"])


@pytest.mark.slow
def test_of_two_who_acknowledge_at_once_one_wins_and_both_are_in_the_log(rig: Rig) -> None:
    alert = breached(rig)[0]
    commands = {by: begin(rig, "ack", alert, "--by", by, "--why", f"{by} looks") for by in ("ana", "ben")}
    for command in commands.values():
        command.communicate(timeout=60)
        assert command.returncode == 0
    (winner,) = (a["acknowledged_by"] for a in status(rig)["open_alerts"] if a["id"] == alert)
    loser = "ben" if winner == "ana" else "ana"
    assert sorted(log_of(rig)) == sorted(
        [
            ("acknowledged", winner, f"{winner} looks"),
            ("seconded", loser, f"already acknowledged by {winner}; {loser} looks"),
        ]
    )
