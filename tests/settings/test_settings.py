"""Configuration is a contract: where values come from, which wins, and what a mistake is called."""

import traceback
from datetime import time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from flowy_watch.app import telling_of
from flowy_watch.channels import CHANNELS
from flowy_watch.core.finding import Severity
from flowy_watch.core.hours import Hours
from flowy_watch.core.route import Route
from flowy_watch.detectors import DETECTORS, KeyRules
from flowy_watch.errors import SettingsError
from flowy_watch.settings import TEMPLATE, Settings, load, parse, parse_duration

TOKEN = {"FLOWY_WATCH__SOURCE__TOKEN": "source-secret"}
KINDS = '"slack", "slack_webhook", "email", "pagerduty", "webhook" or "apprise"'
SLACK = '[channels.ops]\nkind = "slack"\ntoken = "slack-secret"\nchannel = "C1"\n'
MAIL = '[channels.mail]\nkind = "email"\nhost = "localhost"\nfrom = "a@example.com"\nto = ["b@example.com"]\n'
TO = f"{SLACK}[[routes]]\nchannels = ['ops']\n"


def settings(text: str = "", **variables: str) -> Settings:
    return parse(text, environ=TOKEN | {f"FLOWY_WATCH__{name}": value for name, value in variables.items()})


def refusal(text: str = "", **variables: str) -> str:
    with pytest.raises(SettingsError) as caught:
        settings(text, **variables)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- The template ---


def test_the_template_needs_only_a_token() -> None:
    assert settings(TEMPLATE) == settings()


def test_the_template_without_a_token_names_it() -> None:
    with pytest.raises(SettingsError, match=r"^source\.token is missing; .*FLOWY_WATCH__SOURCE__TOKEN$"):
        parse(TEMPLATE, environ={})


def test_every_example_of_the_template_loads_when_its_mark_is_removed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("https://example.com/secret\n")
    lines = []
    for line in TEMPLATE.splitlines():
        bare = line.removeprefix("# ")
        example = line.startswith("# ") and (bare.startswith("[") or bare.split(" ")[1:2] == ["="])
        lines.append(bare if example else line)
    text = "\n".join(lines).replace("https://…", "https://example.com")
    more = ("heartbeat_url", "pagerduty_key", "webhook_url", "webhook_token", "webhook_secret", "apprise_url")
    for name in (
        "source_token",
        "slack_token",
        "slack_app_token",
        "slack_webhook",
        "smtp_password",
        "web_token",
        *more,
    ):
        assert f"/run/secrets/{name}" in text
        text = text.replace(f"/run/secrets/{name}", str(tmp_path / "secret"))
    (tmp_path / "other").write_text("another secret\n")
    text = text.replace("/run/secrets/web_viewer", str(tmp_path / "other"))
    loaded = parse(text, environ={})
    assert list(loaded.channels) == ["ops", "hook", "mail", "pager", "program", "teams"]
    assert [route.channels for route in loaded.routes] == [("ops", "mail")]
    assert list(loaded.keys) == ["prod-*"]


def test_the_template_shows_every_kind_of_channel() -> None:
    assert [kind for kind in CHANNELS if f'kind = "{kind}"' not in TEMPLATE] == []


def test_the_template_shows_every_section_and_every_detector() -> None:
    assert [s for s, f in Settings.model_fields.items() if f"[{f.alias or s}" not in TEMPLATE] == []
    assert [d for d in DETECTORS if f"[detectors.{d}]" not in TEMPLATE] == []


# --- Which file ---


def test_the_given_path_wins_over_the_variable_and_the_variable_over_the_directory(here: Path) -> None:
    for name in ("given", "variable", "flowy-watch"):
        (here / f"{name}.toml").write_text(f'workspace.name = "{name}"')
    environ = TOKEN | {"FLOWY_WATCH_CONFIG": "variable.toml"}
    assert load(Path("given.toml"), environ=environ).workspace.name == "given"
    assert load(None, environ=environ).workspace.name == "variable"
    assert load(None, environ=TOKEN).workspace.name == "flowy-watch"


def test_no_file_is_fine_when_the_environment_says_enough(here: Path) -> None:
    assert load(None, environ=TOKEN).poll.every == timedelta(minutes=5)
    with pytest.raises(SettingsError, match=r"^source\.token is missing"):
        load(None, environ={"FLOWY_WATCH__POLL__EVERY": "1m"})


def test_a_named_file_that_is_not_there_is_an_error(here: Path) -> None:
    with pytest.raises(SettingsError, match=r"no configuration at x\.toml; `flowy-watch init` writes one"):
        load(Path("x.toml"), environ=TOKEN)
    with pytest.raises(SettingsError, match=r"no configuration at y\.toml"):
        load(None, environ=TOKEN | {"FLOWY_WATCH_CONFIG": "y.toml"})


def test_a_file_that_is_no_toml_is_named_with_the_line_and_nothing_of_it_is_shown(here: Path) -> None:
    (here / "bad.toml").write_text('[source]\ntoken = "s3cret\n')
    with pytest.raises(SettingsError) as caught:
        load(Path("bad.toml"), environ={})
    assert str(caught.value).startswith("bad.toml is not TOML at line 2")
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("again", ["[source]", "token = 1", "[poll]", "[source.token]"])
def test_what_stands_twice_is_told_as_that(here: Path, again: str) -> None:
    (here / "twice.toml").write_text(f'[poll]\n[source]\ntoken = "s3cret"\n{again}\n')
    with pytest.raises(SettingsError) as caught:
        load(Path("twice.toml"), environ={})
    assert str(caught.value).endswith("; this section or option stands above already")
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_variable_with_one_underscore_too_few_is_told_what_was_meant(here: Path) -> None:
    for variable, meant in (
        ("FLOWY_WATCH_POLL_EVERY", "FLOWY_WATCH__POLL__EVERY"),
        ("FLOWY_WATCH_SOURCE_TOKEN_FILE", "FLOWY_WATCH__SOURCE__TOKEN_FILE"),
        ("flowy_watch_web_listen", "FLOWY_WATCH__WEB__LISTEN"),
    ):
        with pytest.raises(SettingsError, match=f"^{variable} sets no option; did you mean {meant}, with two"):
            load(None, environ=TOKEN | {variable: "x"})


def test_variables_that_others_make_for_a_service_of_our_name_are_none_of_ours(here: Path) -> None:
    made = ("PORT", "SERVICE_HOST", "METER_PORT", "METER_SERVICE_PORT", "PORT_8420_TCP_ADDR", "WEB_PORT", "SERVER")
    assert load(None, environ=TOKEN | {f"FLOWY_WATCH_{name}": "x" for name in made}) == load(None, environ=TOKEN)


def test_a_file_that_cannot_be_read_is_named(here: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read the configuration \. \(Is a directory\)"):
        load(Path(), environ=TOKEN)
    (here / "latin.toml").write_bytes(b'workspace.name = "\xe9"')
    with pytest.raises(SettingsError, match=r"latin\.toml is not UTF-8"):
        load(Path("latin.toml"), environ=TOKEN)


# --- The environment ---


def test_the_environment_wins_over_the_file() -> None:
    assert settings('poll.every = "1m"', POLL__EVERY="2m").poll.every == timedelta(minutes=2)


def test_names_of_variables_are_met_whatever_their_case() -> None:
    found = settings(SLACK.replace("ops", "Ops-Team"), channels__OPS_TEAM__channel="C2")
    assert list(found.channels) == ["Ops-Team"]
    assert found.channels["Ops-Team"].config.model_dump()["channel"] == "C2"


def test_a_variable_is_read_by_the_type_of_its_option() -> None:
    found = settings(
        MAIL,
        DETECTORS__CAP__LEVELS="[80, 95]",
        DETECTORS__SPIKE__ENABLED="false",
        DETECTORS__SPIKE__LEAST_CREDITS="12.5",
        CHANNELS__MAIL__PORT="2525",
        WORKSPACE__NAME="2026",
        DIGEST__TIME="07:30",
        SOURCE__FIELDS__NAME='"quoted"',
    )
    assert found.detectors["cap"].config == DETECTORS["cap"].Config(levels=(80, 95))  # type: ignore[attr-defined]
    assert not found.detectors["spike"].enabled
    assert found.detectors["spike"].config.least_credits == 12.5  # type: ignore[attr-defined]
    assert found.channels["mail"].config.model_dump()["port"] == 2525
    assert (found.workspace.name, found.digest.time) == ("2026", time(7, 30))
    assert found.source.config.model_dump()["fields"]["name"] == '"quoted"'


def test_a_token_that_looks_like_a_number_stays_as_it_is() -> None:
    assert "0123456" in settings(SOURCE__TOKEN="0123456").secrets()


def test_a_whole_section_or_list_can_be_one_variable() -> None:
    found = settings(SLACK, ROUTES='[{severities = ["critical"], channels = ["ops"]}]', KEYS='{"a.*" = {owner = "x"}}')
    assert found.routes[0].as_route() == Route(("ops",), frozenset({Severity.CRITICAL}))
    assert found.owner_of("k", "a.b") == "x"


def test_a_channel_can_come_from_the_environment_alone() -> None:
    found = settings(CHANNELS__OPS__KIND="slack", CHANNELS__OPS__TOKEN="123", CHANNELS__OPS__CHANNEL="C1")
    assert found.channels["ops"].kind == "slack"


def test_variables_that_contradict_each_other_are_named() -> None:
    assert "both" in refusal(DETECTORS__CAP="{levels = [3]}", DETECTORS__CAP__ENABLED="false")
    assert "set the same option" in refusal(POLL__EVERY="1m", poll__every="2m")
    assert "names no option" in refusal(POLL____EVERY="1m")


def test_text_after_a_value_does_not_slip_in_as_another_option() -> None:
    assert refusal(DETECTORS__CAP__LEVELS="[80]\nother = 1") == (
        'detectors.cap.levels must be a list in brackets, such as ["…"]'
    )


# --- Mistakes ---


def test_a_misspelt_option_is_told_before_one_that_is_missing() -> None:
    with pytest.raises(SettingsError, match=r"poll\.evry is no option; did you mean poll\.every\?"):
        parse("poll.evry = '5m'", environ={})
    with pytest.raises(SettingsError, match=r"source\.token is missing"):
        parse("poll.every = '5m'", environ={})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("detectors.cap.levls = [1]", "detectors.cap.levls is no option; did you mean detectors.cap.levels?"),
        ("detectors.cpa.levels = [1]", "detectors.cpa is no option; did you mean detectors.cap?"),
        ("sorce.kind = 'api'", "sorce is no option; did you mean source?"),
        ("poll.zzz = 1", "poll.zzz is no option; poll has every"),
        ("source.fields.nam = 'x'", "source.fields.nam is no option; did you mean source.fields.name?"),
        ("keys.'prod-*'.ownr = 'x'", 'keys."prod-*".ownr is no option; did you mean keys."prod-*".owner?'),
        ("workspace.name_file = 'x'", "workspace.name_file is no option; did you mean workspace.name?"),
        ("channels.x = {}", f"channels.x.kind is missing; it is {KINDS}"),
        ("channels.x.kind = 'pager'", f"channels.x.kind must be {KINDS}"),
        ("channels.'a b' = {}", 'channels."a b" must be a name of letters, digits, _ and -'),
        ("source.kind = 'x'", 'source.kind must be "api"'),
        (MAIL + "from_ = 'x'", "channels.mail.from_ is no option; did you mean channels.mail.from?"),
        ("[[routes]]\nchannels = ['nix']", "routes[0].channels[0] must be one of the configured channels"),
        (TO + "escalate_to = ['nix']\nescalate_after = '5m'", "routes[0].escalate_to[0] must be one of the configured"),
        (TO + "escalate_to = ['ops']", "routes[0].escalate_after is missing beside escalate_to"),
        (TO + "escalate_after = '5m'", "routes[0].escalate_to is missing beside escalate_after"),
        (TO + "escalate_to = ['ops']\nescalate_after = '0s'", "routes[0].escalate_after must be greater than"),
        (SLACK + "quiet_hours = 'at night'", "channels.ops.quiet_hours must look like"),
        (SLACK + "quiet_hours = '22:00-07:00 Mars/Base'", "channels.ops.quiet_hours names no known time zone"),
        (
            SLACK + "quite_hours = '22:00-07:00'",
            "channels.ops.quite_hours is no option; did you mean channels.ops.quiet_hours?",
        ),
        (TO + "repeat = '30s'", "routes[0].repeat must be greater than or equal to 1 minute"),
        (TO + "repaet = '4h'", "routes[0].repaet is no option; did you mean routes[0].repeat?"),
        ("[[routes]]\nchannels = []", "routes[0].channels must not be empty"),
        ("[[routes]]\nkinds = ['nix']\nchannels = ['ops']", "routes[0].kinds[0] must be one of the detectors: cap"),
        ("[[routes]]\nseverities = ['bad']", 'routes[0].severities[0] must be "info", "warning" or "critical"'),
        (
            "digest.channels = ['nix']",
            "digest.channels[0] must be one of the channels that people read: there",
        ),
        ("digest.weekday = 'x'", "digest.weekday must be 'monday'"),
        ("digest.time = '09:00Z'", "digest.time must be a time of day without a zone"),
        ("poll = 3", "poll must be a table"),
        ("routes = {}", "routes must be a list"),
        ("poll.every = '0s'", "poll.every must be greater than or equal to 1 second"),
        ("poll.every = '2h'", "poll.every must be less than or equal to 1 hour"),
        ("poll.every = 300", "poll.every must be a duration with its unit"),
        ("detectors.last_used.in_flight = 'x'", "detectors.last_used.in_flight must be a duration"),
        ("source.timeout = '1x'", "source.timeout must be a duration"),
        ("detectors.spike.least_credits = nan", "detectors.spike.least_credits must be a finite number"),
        ("detectors.cap.levels = []", "detectors.cap is refused: levels must name at least one"),
        ("workspace.timezone = 'Europe'", "workspace.timezone must name a time zone"),
        ("workspace.api_keys_url = 'x'", "workspace.api_keys_url must be a whole address"),
        ("keys.x.hours = 'always'", 'keys.x.hours must look like "Mon-Fri'),
        ("web.listen = '8420'", "web.listen must be an address and a port"),
        ("web.listen = 'x:70000'", "web.listen must have a port of at most 65535"),
        ("web.token = ''", "web.token must not be empty"),
        ("source.headers = {'a b' = 'x'}", 'source.headers."a b" has a character that is not allowed there'),
    ],
)
def test_a_mistake_is_one_line_that_names_the_option(text: str, said: str) -> None:
    assert refusal(text).startswith(said)


def test_no_value_is_ever_shown() -> None:
    for text in (
        "source.base_url = 's3cret'",
        "source.retries = 's3cret'",
        "poll.every = 's3cret'",
        "log.level = 's3cret'",
        "keys.x.hours = 's3cret'",
        "channels.x.kind = 's3cret'",
        "source.headers = {Authorization = 's3cret '}",
        "channels.x = {kind = 'slack', token = ['s3cret'], channel = 'C'}",
        "channels.x = {kind = 'slack_webhook', url = 's3cret'}",
        "channels.x = {kind = 'email', host = 'h', from = 's3cret', to = ['x']}",
    ):
        with pytest.raises(SettingsError) as caught:
            parse(text, environ=TOKEN)
        shown = "".join(traceback.format_exception(caught.value))
        assert "s3cret" not in shown, text


def test_an_unquoted_token_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"^source\.token must be text in quotes$"):
        parse("source.token = 123456", environ={})


# --- Secrets ---


def test_a_secret_can_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    text = f"""
    source.token_file = "{tmp_path}/token"
    source.headers.X-Api-Key_file = "{tmp_path}/token"
    store.url_file = "{tmp_path}/token"
    """
    found = parse(text, environ={"FLOWY_WATCH__WEB__TOKEN_FILE": f"{tmp_path}/token"})
    assert found.store.url.get_secret_value() == "from-a-file"
    assert found.web.token is not None
    assert found.web.token.get_secret_value() == "from-a-file"
    assert found.secrets() == {"from-a-file"}
    assert found.source.config.model_dump()["headers"]["X-Api-Key"].get_secret_value() == "from-a-file"


def test_a_secret_given_in_both_ways_is_an_error() -> None:
    assert refusal(SLACK + 'token_file = "x"') == "channels.ops.token and token_file are both given; keep one"
    assert refusal(SOURCE__TOKEN_FILE="x") == "source.token and token_file are both given; keep one"


def test_the_environment_replaces_a_secret_of_the_file_in_whichever_way_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("new")
    assert "new" in settings(SLACK, CHANNELS__OPS__TOKEN_FILE=f"{tmp_path}/token").secrets()
    found = settings(SLACK.replace("token =", "token_file ="), CHANNELS__OPS__TOKEN="newer")
    assert found.secrets() == {"newer", "source-secret"}


def test_a_secret_file_that_gives_nothing_is_named_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff")
    assert refusal(f'web.token_file = "{tmp_path}/no"') == (
        f"web.token_file cannot be read: {tmp_path}/no (No such file or directory)"
    )
    assert refusal(f'web.token_file = "{tmp_path}/empty"') == f"web.token_file is empty: {tmp_path}/empty"
    assert refusal(f'web.token_file = "{tmp_path}/binary"') == f"web.token_file is no text file: {tmp_path}/binary"
    assert refusal("web.token_file = 3") == "web.token_file must be the path of a file"


def test_the_secrets_are_known_and_never_printed() -> None:
    url = "postgresql+psycopg://u:p%40ss@host/db?x=a@b"
    found = settings(f'{SLACK}[store]\nurl = "{url}"\n[web]\ntoken = "web-secret"')
    assert found.secrets() == {"source-secret", "slack-secret", "web-secret", url, "p%40ss", "p@ss"}
    assert [secret for secret in found.secrets() if secret in repr(found)] == []


def test_an_address_without_a_password_is_no_secret() -> None:
    assert settings().secrets() == {"source-secret"}
    assert settings(STORE__URL="postgresql+psycopg://host:5432/db").secrets() == {"source-secret"}
    assert "pw" in settings(STORE__URL="postgresql+psycopg://host/db?user=u&password=pw").secrets()


# --- Keys, routes and the rest ---


def test_each_option_of_a_key_is_from_the_first_pattern_that_sets_it() -> None:
    found = settings("""
    [keys."prod-media"]
    hours = ""
    [keys."prod-*"]
    owner = "media"
    hours = "Mon-Fri 07:00-20:00 Europe/Madrid"
    [keys."*"]
    owner = "platform"
    dormant_after = "2w"
    """)
    week = Hours.parse("Mon-Fri 07:00-20:00 Europe/Madrid")
    assert found.rules_of("k1", "prod-media") == KeyRules("media", None, timedelta(days=14))
    assert found.rules_of("k1", "prod-x") == KeyRules("media", week, timedelta(days=14))
    assert found.rules_of("prod-id", "renamed").owner == "media"
    assert found.rules_of("k1", "dev") is found.rules_of("k1", "dev")
    assert (found.owner_of("k1", "dev"), found.owner_of("", "")) == ("platform", "")


@pytest.mark.parametrize(
    ("keys", "until"),
    [
        ("", timedelta.max),
        ("[keys.a]\ndormant_after = '2w'\n[keys.b]\ndormant_after = '1h'", timedelta(hours=1)),
        ("[keys.a]\ndormant_after = '2w'\n[keys.b]\nhours = 'Mon-Fri 07:00-20:00 UTC'", timedelta(0)),
    ],
)
def test_keys_that_lay_still_for_less_need_no_rules(keys: str, until: timedelta) -> None:
    assert settings(keys).rests_until == until


def test_without_routes_every_alert_goes_to_every_channel() -> None:
    assert settings().routes == ()
    assert [route.as_route() for route in settings(SLACK + MAIL).routes] == [Route(("ops", "mail"))]


def test_a_route_says_which_alerts_it_takes() -> None:
    route = settings(f"""{SLACK}
    [[routes]]
    severities = ["Warning", "critical"]
    kinds = ["cap"]
    keys = ["prod-*"]
    channels = ["ops"]
    """).routes[0]
    assert route.as_route() == Route(
        ("ops",), frozenset({Severity.WARNING, Severity.CRITICAL}), frozenset({"cap"}), ("prod-*",)
    )


def test_every_kind_of_channel_has_quiet_hours() -> None:
    hours = 'quiet_hours = "22:00-07:00 Europe/Madrid"\n'
    found = settings(SLACK + hours + MAIL + hours)
    assert {channel.quiet_hours for channel in found.channels.values()} == {"22:00-07:00 Europe/Madrid"}
    assert telling_of(found).quiet_hours.keys() == {"ops", "mail"}
    assert telling_of(settings(SLACK)).quiet_hours == {}


def test_a_route_says_who_is_told_again_and_to_whom_an_alert_is_handed_on() -> None:
    route = settings(f"""{SLACK}{MAIL}
    [[routes]]
    owners = ["media-*"]
    channels = ["ops"]
    repeat = "4h"
    escalate_after = "15m"
    escalate_to = ["mail"]
    """).routes[0]
    assert route.as_route() == Route(
        ("ops",),
        owners=("media-*",),
        repeat=timedelta(hours=4),
        escalate_after=timedelta(minutes=15),
        escalate_to=("mail",),
    )


def test_the_digest_uses_the_zone_of_the_workspace_unless_it_has_its_own() -> None:
    assert settings(WORKSPACE__TIMEZONE="Asia/Tokyo").digest_zone == ZoneInfo("Asia/Tokyo")
    found = settings(WORKSPACE__TIMEZONE="Asia/Tokyo", DIGEST__TIMEZONE="Europe/Madrid", DIGEST__WEEKDAY="Friday")
    assert (found.digest_zone, found.workspace.zone) == (ZoneInfo("Europe/Madrid"), ZoneInfo("Asia/Tokyo"))
    assert found.digest.weekday == "friday"


@pytest.mark.parametrize(
    ("listen", "host", "port"), [("127.0.0.1:8420", "127.0.0.1", 8420), ("[::1]:80", "::1", 80), ("web:0", "web", 0)]
)
def test_the_dashboard_listens_at_an_address_and_a_port(listen: str, host: str, port: int) -> None:
    web = settings(WEB__LISTEN=listen, WEB__TOKEN="hush").web
    assert (web.host, web.port) == (host, port)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        (" 24 h ", timedelta(days=1)),
        ("30d", timedelta(days=30)),
        ("2w", timedelta(days=14)),
        ("0s", timedelta()),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, span: timedelta) -> None:
    assert parse_duration(text) == span


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "1.5h", "1h30m", "5M", "٣m", "999999999w", "9999999999s", "inf"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration") as caught:
        parse_duration(text)
    assert not text or len(text) < 3 or text not in str(caught.value)


def test_durations_work_in_the_options_of_detectors_channels_and_sources() -> None:
    found = settings(SLACK + 'timeout = "3s"\n[detectors.balance]\nrunway = "1w"', SOURCE__DEADLINE="2m")
    assert found.channels["ops"].config.model_dump()["timeout"] == timedelta(seconds=3)
    assert found.detectors["balance"].config.runway == timedelta(days=7)  # type: ignore[attr-defined]
    assert found.source.config.model_dump()["deadline"] == timedelta(minutes=2)
