"""The README shows before it tells; what it shows must run."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.main import get_command

from flowy_watch.cli import app
from flowy_watch.clock import SystemClock
from flowy_watch.core.usage import day_of, day_start
from flowy_watch.settings import load, parse
from flowy_watch.simulator import SimulatorServer, make_world
from flowy_watch.simulator.people import MailSink
from flowy_watch.sources import SOURCES
from tests.web.house import House

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MARK = "<!-- run by tests/test_readme.py -->\n```sh\n"
WAYS_IN = (ROOT / "docs" / "ways-in.md").read_text(encoding="utf-8")


def shown(text: str) -> list[str]:
    block = text.split(MARK, 1)[1].split("```", 1)[0]
    return [line.split("  #")[0].strip() for line in block.splitlines() if line.strip()]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("text", [pytest.param(README, id="README"), pytest.param(WAYS_IN, id="ways-in")])
def test_the_commands_that_are_shown_run(text: str, tmp_path: Path) -> None:
    now: datetime = SystemClock().now()
    world = make_world(start=day_start(day_of(now.astimezone(UTC))))
    with SimulatorServer(world, SystemClock()) as flowy, MailSink() as sink:
        mail = {"KIND": "email", "HOST": sink.host, "PORT": str(sink.port), "SECURITY": "none"}
        mail |= {"FROM": "flowy-watch@example.com", "TO": '["oncall@example.com"]'}
        ours = (
            "FLOWY_WATCH",
            "COVERAGE_",
        )  # what runs in-process elsewhere need not be measured here, at twice the time
        environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        environ |= {f"FLOWY_WATCH__CHANNELS__MAIL__{name}": value for name, value in mail.items()}
        environ["FLOWY_WATCH__SOURCE__BASE_URL"] = flowy.base_url
        environ["FLOWY_WATCH__SOURCE__TOKEN"] = flowy.owner_token
        environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
        for command in shown(text):
            ran = subprocess.run(command, shell=True, cwd=tmp_path, env=environ, capture_output=True, text=True)
            assert ran.returncode == 0, f"{command}: {ran.stdout}{ran.stderr}"
    assert text is not README or [m.subject for m in sink.mails] != []


def test_the_readme_names_every_command() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    missing = [name for name in commands if not re.search(rf"(flowy-watch|make) {name}\b", README)]
    assert missing == []


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_the_configuration_of_the_readme_loads(number: int, tmp_path: Path) -> None:
    text = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)[number]
    secret = tmp_path / "secret"
    secret.write_text("not-a-real-token\n")
    file = tmp_path / "flowy-watch.toml"
    file.write_text(re.sub(r'_file = "[^"]+"', f'_file = "{secret}"', text))
    settings = load(file, environ={"FLOWY_WATCH__SOURCE__TOKEN": "x"} if number > 1 else {})
    assert settings.source.kind == "api"


@pytest.mark.parametrize("text", re.findall(r"```toml\n(.*?)```", WAYS_IN, re.DOTALL))
def test_each_way_in_can_be_configured_as_it_is_shown(text: str, tmp_path: Path) -> None:
    for path in re.findall(r'_file = "([^"]+)"', text):
        secret = tmp_path / path.replace("/", "-")
        secret.write_text(f"no token of {path}\n")
        text = text.replace(path, str(secret))
    settings = parse(text, environ={})
    assert settings.source.kind in SOURCES


def test_what_a_program_pushes_is_taken_as_it_is_shown(tmp_path: Path) -> None:
    (body,) = re.findall(r"-d '(.*?)'\n", WAYS_IN, re.DOTALL)
    with House(tmp_path) as house:
        house.clock.at = datetime(2026, 11, 25, tzinfo=UTC)
        answer = house.machine().post("/api/v1/snapshots", content=body)
    assert (answer.status_code, answer.json()["snapshots"]) == (201, 1)


def test_the_readmes_pictures_exist() -> None:
    pictures = re.findall(r"\((docs/pictures/[^)]+)\)", README)
    assert pictures
    assert [p for p in pictures if not (ROOT / p).is_file()] == []
