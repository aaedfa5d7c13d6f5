"""The options of the newer channels and of the heartbeat: secrets by file, mistakes by name and never by value."""

import traceback
from datetime import timedelta
from pathlib import Path

import pytest

from flowy_watch.errors import SettingsError
from flowy_watch.settings import Settings, parse

TOKEN = {"FLOWY_WATCH__SOURCE__TOKEN": "source-secret"}


def settings(text: str = "", **variables: str) -> Settings:
    return parse(text, environ=TOKEN | {f"FLOWY_WATCH__{name}": value for name, value in variables.items()})


def test_without_an_address_there_is_no_heartbeat() -> None:
    assert settings().heartbeat.url is None
    assert settings().heartbeat.every == timedelta(minutes=5)


def test_the_heartbeat_is_read_from_a_file_and_is_a_secret(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("https://hc.example/hush-hush\n")
    loaded = settings(f'[heartbeat]\nurl_file = "{tmp_path}/url"\nevery = "1m"')
    assert loaded.heartbeat.url is not None
    assert loaded.heartbeat.url.get_secret_value() == "https://hc.example/hush-hush"
    assert loaded.heartbeat.every == timedelta(minutes=1)
    assert "https://hc.example/hush-hush" in loaded.secrets()
    assert "hush-hush" not in repr(loaded)


def test_the_heartbeat_comes_from_the_environment_too() -> None:
    loaded = settings(HEARTBEAT__URL="https://hc.example/x", HEARTBEAT__EVERY="90s")
    assert loaded.heartbeat.every == timedelta(seconds=90)
    assert loaded.secrets() >= {"https://hc.example/x"}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("pagerduty", ("routing_key",)),
        ("webhook", ("url", "token", "secret")),
        ("apprise", ("url",)),
    ],
)
def test_the_secrets_of_channels_come_from_files_and_are_hidden(
    kind: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    lines = [f'kind = "{kind}"']
    for option in options:
        (tmp_path / option).write_text(f"https://example.com/hush-{option}\n")
        lines.append(f'{option}_file = "{tmp_path / option}"')
    loaded = settings("[channels.new]\n" + "\n".join(lines))

    assert loaded.secrets() >= {f"https://example.com/hush-{option}" for option in options}
    assert "hush-" not in repr(loaded)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('heartbeat.url = "hush-hush"', "heartbeat.url must be a whole address"),
        ('heartbeat.url = "ftp://hush-hush"', "heartbeat.url must be a whole address"),
        ('heartbeat.every = "0s"', "heartbeat.every must be greater"),
        ('heartbeat.evry = "hush-hush"', "heartbeat.evry is no option; did you mean heartbeat.every?"),
        ('channels.x = { kind = "webhook", url = "hush-hush" }', "channels.x.url must be a whole address"),
        ('channels.x = { kind = "webhook", url = "https://h", token = "hush hush" }', "channels.x.token must be plain"),
        ('channels.x = { kind = "webhook" }', "channels.x.url is missing"),
        ('channels.x = { kind = "webhook", url = "https://u:hush-hush@h", token = "t" }', "channels.x "),
        ('channels.x = { kind = "pagerduty" }', "channels.x.routing_key is missing"),
        ('channels.x = { kind = "pagerduty", routing_key = "" }', "channels.x.routing_key must not be empty"),
        (
            'channels.x = { kind = "pagerduty", routing_key = "hush-hush", api_url = "hush-hush" }',
            "channels.x.api_url must be",
        ),
        ('channels.x = { kind = "pagerduty", key = "hush-hush" }', "channels.x.key is no option"),
        ('channels.x = { kind = "apprise", urls = ["hush-hush"] }', "channels.x.urls is no option; did you mean"),
        ('channels.x = { kind = "apprise" }', "channels.x.url is missing"),
    ],
)
def test_a_mistake_is_called_by_its_option_and_never_by_its_value(text: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(text)
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)
    assert "hush" not in "".join(traceback.format_exception(caught.value))
