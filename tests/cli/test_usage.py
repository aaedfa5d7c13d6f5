"""How commands are called: configuration, options, mistakes and help."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.rig import COMMAND, SOURCE_TOKEN, Rig, cli, environment, spawned

COMMANDS = [
    "init", "check", "run", "poll", "status", "alerts", "ack", "silence", "unsilence", "resolve", "why", "import",
    "export", "notify-test", "backtest", "demo", "simulate", "db",
]  # fmt: skip
DB = ["info", "upgrade", "backup", "prune"]


def test_init_writes_a_file_that_loads_with_a_token_from_the_environment(tmp_path: Path) -> None:
    config, elsewhere = tmp_path / "made.toml", f"sqlite:///{tmp_path / 'watch.db'}"
    ran = cli("init", "--config", config)
    assert (ran.code, str(config) in ran.out) == (0, True)
    assert config.stat().st_mode & 0o077 == 0
    env = {"FLOWY_WATCH__SOURCE__TOKEN": SOURCE_TOKEN, "FLOWY_WATCH__STORE__URL": elsewhere}
    assert cli("--config", config, "status", env=env).code == 0


def test_init_overwrites_only_when_forced(tmp_path: Path) -> None:
    config = tmp_path / "made.toml"
    config.write_text("# mine\n")
    ran = cli("--config", config, "init")
    assert (ran.code, ran.err) == (1, f"flowy-watch: {config} exists; --force overwrites it\n")
    assert config.read_text() == "# mine\n"
    assert cli("--config", config, "init", "--force").code == 0
    assert "[source]" in config.read_text()


def test_config_may_stand_before_and_after_the_command(rig: Rig) -> None:
    for words in (
        ["--config", rig.config, "db", "info"],
        ["db", "--config", rig.config, "info"],
        ["db", "info", "--config", rig.config],
        ["db", "info", f"--config={rig.config}"],
    ):
        ran = cli(*words)
        assert (ran.code, "watch.db" in ran.out) == (0, True), words


def test_config_may_come_from_the_environment_or_the_folder(rig: Rig) -> None:
    assert "watch.db" in cli("db", "info", env={"FLOWY_WATCH_CONFIG": str(rig.config)}).out
    ran = spawned("db", "info", cwd=rig.folder)
    assert (ran.code, "watch.db" in ran.out) == (0, True)


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["poll", "--nonsense"],
        ["ack"],
        ["ack", "seven"],
        ["ack", "1", "--for", "soon"],
        ["silence", "prod-*"],
        ["silence", "prod-*", "--for", "1h", "--until", "2030-01-01"],
        ["silence", "prod-*", "--until", "2001-01-01"],
        ["silence", "prod-*", "--until", "tomorrow"],
        ["silence", "prod-*", "--for", "1h", "--kind", "nonsense"],
        ["export", "--format", "xml"],
        ["export", "--since", "ever"],
        ["simulate", "--scenario", "nonsense"],
        ["db", "nonsense"],
        ["import", ""],
        ["backtest", ""],
        ["status", "--token-file", ""],
        ["status", "--config"],
        ["status", "--server", "ftp://watch.example.com"],
        ["block", ""],
        ["unblock", " "],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2_and_says_so_on_stderr(rig: Rig, words: list[str]) -> None:
    ran = cli("--config", rig.config, *words, env={"FLOWY_WATCH_TOKEN": "a-token"})
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith("flowy-watch: ")


def test_a_mistyped_command_is_told_what_may_be_meant() -> None:
    assert cli("statsu").err == (
        "flowy-watch: No such command 'statsu'. Did you mean 'status'? See `flowy-watch --help`\n"
    )


@pytest.mark.parametrize("words", [[], ["db"]])
def test_a_group_of_commands_without_one_shows_its_help(words: list[str]) -> None:
    ran = cli(*words)
    assert (ran.code, "Usage: flowy-watch" in ran.out + ran.err) == (2, True)


@pytest.mark.parametrize("command", ["--help", "export", "status"])
def test_a_reader_that_has_seen_enough_ends_the_command_quietly(rig: Rig, command: str) -> None:
    words, env = [*COMMAND, "--config", rig.config, command], environment({"PYTHONUNBUFFERED": ""})
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_missing_configuration_is_one_line_and_exit_1(tmp_path: Path) -> None:
    ran = cli("--config", tmp_path / "none.toml", "status")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "none.toml" in ran.err


def test_a_misspelt_option_is_named_without_its_value(rig: Rig) -> None:
    text = rig.config.read_text()
    rig.config.write_text(text.replace(f'token = "{SOURCE_TOKEN}"', f'tokn = "{SOURCE_TOKEN}"'))
    for command in ("check", "poll", "status", "run"):
        ran = rig.run(command)
        assert (ran.code, ran.err.count("\n")) == (1, 1)
        assert "source.tokn" in ran.err
        assert "source.token" in ran.err
        assert SOURCE_TOKEN not in ran.err + ran.out


def test_a_wrong_value_names_its_option(rig: Rig) -> None:
    rig.configure(every="0s")
    ran = rig.run("status")
    assert (ran.code, "poll.every" in ran.err) == (1, True)


def test_a_database_that_cannot_be_opened_is_one_line_and_exit_1(rig: Rig) -> None:
    rig.database = rig.folder / "no" / "such" / "watch.db"
    rig.configure()
    ran = rig.run("status")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert ran.err.startswith("flowy-watch: ")


def test_help_lists_every_command() -> None:
    said = cli("--help").out
    for command in COMMANDS:
        assert f"\n  {command} " in said, command
    assert "Exit codes: 0 done, 1 failed, 2 wrong usage." in " ".join(said.split())


@pytest.mark.parametrize("words", [[], ["db"]])
def test_the_list_of_commands_is_cut_nowhere(words: list[str]) -> None:
    said = cli(*words, "--help", env={"COLUMNS": "80"}).out
    assert "..." not in said.partition("Commands:")[2]
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize("words", [[name] for name in COMMANDS] + [["db", name] for name in DB], ids=" ".join)
def test_every_command_explains_itself(words: list[str]) -> None:
    ran = cli(*words, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert "Usage: flowy-watch " + " ".join(words) in ran.out


@pytest.mark.parametrize("command", ["check", "poll", "status", "alerts", "why", "backtest"])
def test_every_reading_command_prints_json(command: str) -> None:
    assert "--json" in cli(command, "--help").out


def test_the_scenarios_are_listed_with_their_story() -> None:
    said = cli("simulate", "--list").out.splitlines()
    assert {"ordinary", "mixed"} <= {line.partition(":")[0] for line in said}
    assert all(line.partition(": ")[2] for line in said)


def test_a_process_of_its_own_returns_the_same_codes(rig: Rig) -> None:
    assert spawned("--config", rig.config, "poll").code == 0
    assert spawned("--config", rig.config, "silence", "x").code == 2
    failed = spawned("--config", rig.config, "why", 5)
    assert (failed.code, failed.out, failed.err.count("\n")) == (1, "", 1)


def test_a_bug_is_shown_without_secrets_and_says_that_it_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(**_: object) -> None:
        raise KeyError("Bearer xoxb-cli-tests-0000000000")

    monkeypatch.setattr("flowy_watch.cli.app", fall)
    ran = cli("status")
    assert ran.code == 1
    assert "xoxb-cli" not in ran.err
    assert ran.err.endswith("flowy-watch: a bug of flowy-watch (KeyError); please report it\n")


@pytest.mark.parametrize("command", ["status", "export", "check"])
def test_what_cannot_be_written_is_one_line(rig: Rig, command: str) -> None:
    words, env = [*COMMAND, "--config", rig.config, command], environment({"PYTHONUNBUFFERED": ""})
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(words, env=env, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (1, "flowy-watch: cannot write: No space left on device\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_files_and_pipes_get_utf_8_whatever_the_locale(rig: Rig, encoding: str) -> None:
    rig.good("poll")
    env = {"PYTHONIOENCODING": encoding}
    ran = spawned("--config", rig.config, "check", env=env)
    assert (ran.code, "database: schema – sqlite" in ran.out, ran.err) == (0, True, "")


def test_a_terminal_of_another_encoding_shows_a_question_mark_for_what_it_lacks(rig: Rig) -> None:
    inner, outer = os.openpty()
    words = [*COMMAND, "--config", rig.config, "check"]
    env = environment({"PYTHONIOENCODING": "ascii"})
    ran = subprocess.run(words, env=env, stdout=outer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(outer)
    said = os.read(inner, 4000).decode("ascii")
    os.close(inner)
    assert (ran.returncode, "database: schema ? sqlite" in said, ran.stderr) == (0, True, "")


def test_what_a_long_command_says_into_a_pipe_comes_at_once() -> None:
    command = [*COMMAND, "simulate", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout
        said = [process.stdout.readline(), process.stdout.readline()]
        process.terminate()
    assert [line.partition(":")[0] for line in said] == ["Flowy, simulated", "token"]
