"""What people who look need not be able to read."""

from pathlib import Path

import pytest

from flowy_watch.channels import CHANNELS
from flowy_watch.errors import NoSettings, SettingsError
from flowy_watch.settings import load, load_to_look
from flowy_watch.settings.options import HeartbeatSettings, WebSettings
from flowy_watch.settings.unread import SECRETS
from flowy_watch.sources import SOURCES

OF_THE_SERVICE = """
[source]
base_url = "https://flowy.example.com"
[source.headers]
x-more = "1"
[sources.asked]
kind = "probe"
[sources.asked.keys.a]
token_file = "/nowhere/a"
[sources.asked.keys.b]
token_file = "/nowhere/b"
[channels.ops]
kind = "slack"
channel = "C1"
app_token_file = "/nowhere/app"
allowed_users = ["U0123456789"]
[channels.hook]
kind = "slack_webhook"
url_file = "/nowhere/url"
[channels.mail]
kind = "email"
host = "smtp.example.com"
from = "a@example.com"
to = ["b@example.com"]
username = "a"
password_file = "/nowhere/password"
[heartbeat]
url_file = "/nowhere/heartbeat"
[web]
listen = "0.0.0.0:8420"
"""


def test_who_looks_needs_no_secret_of_the_service(tmp_path: Path) -> None:
    file = tmp_path / "flowy-watch.toml"
    file.write_text(OF_THE_SERVICE)

    settings = load_to_look(file, environ={})

    assert (settings.store.url.get_secret_value(), [*settings.channels]) == (
        "sqlite:///flowy-watch.db",
        ["ops", "hook", "mail"],
    )
    with pytest.raises(SettingsError):
        load(file, environ={})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[poll]\nevry = '5m'", r"poll\.evry is no option"),
        ("[channels.ops]\nkind = 'slack'\nchanel = 'C1'", r"channels\.ops\.chanel is no option"),
        ("[channels.ops]\nkind = 'slck'", r"channels\.ops\.kind must be"),
        ("[store]\nurl_file = '/nowhere/url'", r"store\.url_file cannot be read"),
        ("source = 3", "source must be a table"),
    ],
)
def test_mistakes_are_told_all_the_same(tmp_path: Path, more: str, said: str) -> None:
    file = tmp_path / "flowy-watch.toml"
    file.write_text(more)
    with pytest.raises(SettingsError, match=said):
        load_to_look(file, environ={})


def test_a_folder_without_a_configuration_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for read in (load, load_to_look):
        with pytest.raises(NoSettings, match=r"there is no flowy-watch\.toml in this folder"):
            read(None, environ={"PATH": "/bin"})


def test_every_secret_of_every_kind_is_known_by_its_name() -> None:
    kinds = [kind.Config for registry in (SOURCES, CHANNELS) for kind in registry.values()]
    found = {
        name
        for config in (*kinds, HeartbeatSettings, WebSettings)
        for name, field in getattr(config, "model_fields", {}).items()
        if "SecretStr" in str(field.annotation) and "dict" not in str(field.annotation)
    }
    assert found <= SECRETS
    assert "token" in found
