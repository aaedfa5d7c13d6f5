"""`flowy-watch backtest`: one's own history, before one trusts it."""

import json
import os
import pty
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from tests.cli.rig import COMMAND, Ran, Rig, cli, environment

START = datetime(2026, 3, 2, tzinfo=UTC)
COLUMNS = "key_id,name,at,spent_today,last_used_at,daily_cap"


def history(days: int = 12) -> str:
    """Two keys, a poll every half hour; one of them runs wild on the last day and reaches its cap."""
    dice, lines, wild = Random(1), [COLUMNS], START + timedelta(days=days, hours=-6)
    spent = {"key_a": 0.0, "key_b": 0.0}
    for n in range(days * 48):
        at = START + timedelta(minutes=30 * n)
        for key_id in spent:
            spent[key_id] = 0 if at.hour == at.minute == 0 else spent[key_id] + dice.choice((5, 10, 15))
        spent["key_b"] += 300 * (at >= wild)
        lines += [f"{key_id},{key_id[-1]} <b>,{at:%Y-%m-%dT%H:%M:%SZ},{of},," for key_id, of in spent.items()]
        lines[-1] += "3000"
    return "\n".join(lines) + "\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "history.csv"
    path.write_text(history())
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "flowy-watch.toml"
    path.write_text(
        f'[workspace]\nfalse_alarms_per_month = 3\n[store]\nurl = "sqlite:///{tmp_path / "watch.db"}"\n'
        '[source]\ntoken = "not used here"\n'
    )
    return path


def good(*words: object) -> Ran:
    ran = cli(*words)
    assert (ran.code, ran.err) == (0, ""), ran
    return ran


def test_it_prints_alerts_kinds_and_what_other_settings_would_have_told(file: Path, config: Path) -> None:
    out = good("--config", config, "backtest", file).out
    assert "b <b> spent" in out
    assert ", 2026-03-02 00:00 to 2026-03-13 23:30 UTC" in out
    rows = [line.split() for line in out.partition(" keys, ")[2].splitlines()]
    assert {"spike", "cap"} <= {row[0] for row in rows if len(row) == 7}
    knob = [row for row in rows if row and row[0] in ("0.5", "1", "2", "3", "4", "8", "16")]
    assert [row[0] for row in knob] == ["0.5", "1", "2", "3", "4", "8", "16"]
    assert [row[0] for row in knob if "present" in row] == ["3"]


def test_json_stays_what_it_was(file: Path, config: Path) -> None:
    printed = good("--config", config, "backtest", file, "--json").json
    assert list(printed) == ["alerts", "polls", "keys"]
    assert {tuple(alert) for alert in printed["alerts"]} == {
        ("key_id", "kind", "severity", "opened_at", "resolved_at", "title")
    }


def test_the_database_gives_the_same_alerts_as_the_file_it_was_filled_from(file: Path, config: Path) -> None:
    good("--config", config, "import", file)
    from_file = good("--config", config, "backtest", file, "--json").json
    assert good("--config", config, "backtest", "--last", "9999d", "--json").json == from_file
    assert from_file["alerts"]


def test_a_database_without_snapshots_of_that_time_is_one_line_and_exit_1(file: Path, config: Path) -> None:
    good("--config", config, "import", file)
    ran = cli("--config", config, "backtest", "--last", "1h")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "no snapshot of the last 1h" in ran.err


def test_a_sweep_finds_a_setting_that_tells_no_more_than_was_wanted(file: Path, config: Path) -> None:
    printed = good("--config", config, "backtest", file, "--sweep", "50", "--json").json
    rates = {one["false_alarms_per_month"]: one["per_month"] for one in printed["settings"]}
    assert rates[printed["chosen"]] == max(rate for rate in rates.values() if rate <= 50)
    out = good("--config", config, "backtest", file, "--sweep", "50").out
    assert out.endswith(f"[workspace]\nfalse_alarms_per_month = {printed['chosen']:g}\n")


def test_a_sweep_that_finds_none_says_why(file: Path, config: Path) -> None:
    out = good("--config", config, "backtest", file, "--sweep", "0.01").out
    assert "No setting tells as little as 0.01 a month: 0.1 would still have told" in out
    assert good("--config", config, "backtest", file, "--sweep", "0.01", "--json").json["chosen"] is None


def test_a_page_and_pictures_are_written_for_each_alert(file: Path, config: Path, tmp_path: Path) -> None:
    html, folder = tmp_path / "page.html", tmp_path / "new" / "pictures"
    ran = cli("--config", config, "backtest", file, "--html", html, "--png", folder, "--json")
    printed = ran.json
    charts = len(printed["alerts"])
    assert (ran.code, ran.err) == (0, f"Wrote {html} and {charts} charts into {folder}\n")
    page = html.read_text(encoding="utf-8")
    assert page.count("<svg") == charts
    assert page.count('aria-current="true"') == 1
    assert "b &lt;b&gt; spent" in page
    names = sorted(path.name for path in folder.iterdir())
    assert [name[:3] for name in names] == [f"{n:03d}" for n in range(1, charts + 1)]
    assert {name.rsplit("-", 1)[1] for name in names} == {f"{alert['kind']}.png" for alert in printed["alerts"]}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in folder.iterdir())


@pytest.mark.parametrize("option", ["--html", "--png"])
def test_a_place_that_cannot_be_written_is_one_line_and_exit_1(option: str, file: Path, tmp_path: Path) -> None:
    ran = cli("backtest", file, option, file / "under-a-file")
    assert (ran.code, ran.err.count("\n")) == (1, 1), ran
    assert ran.err.startswith("flowy-watch: cannot write ")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["day.csv", "--last", "30d"],
        ["--last", "30d", "--workspace", "balance.csv"],
        ["--last", "soon"],
        ["day.csv", "--sweep", "0"],
        ["day.csv", "--sweep", "nan"],
        ["day.csv", "--sweep", "many"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2(rig: Rig, words: list[str]) -> None:
    ran = rig.run("backtest", *words)
    assert (ran.code, ran.out) == (2, "")
    assert "Traceback" not in ran.err


def test_the_database_has_to_be_configured(tmp_path: Path) -> None:
    ran = cli("--config", tmp_path / "none.toml", "backtest", "--last", "30d")
    assert (ran.code, ran.err.count("\n")) == (1, 1)


def test_a_terminal_sees_how_far_it_is_and_the_answer_stays_clean(file: Path, config: Path, tmp_path: Path) -> None:
    words = [*COMMAND, "--config", str(config), "backtest", str(file), "--json"]
    ours, theirs = pty.openpty()
    with (tmp_path / "out.json").open("w") as out:
        process = subprocess.Popen(words, env=environment({"TERM": "xterm"}), stdout=out, stderr=theirs)
    os.close(theirs)
    shown = b"".join(read_all(ours))
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert b"Replaying" in shown
    assert json.loads((tmp_path / "out.json").read_text())["polls"] == 12 * 48


def read_all(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            yield os.read(terminal, 4096)
        except OSError:  # the other end is closed
            return
