"""`[meter]`: read by its own process, which has none of the daemon's secrets."""

import pytest

from flowy_watch.cli.metering import config_of
from flowy_watch.core.usage import CREDIT
from flowy_watch.errors import SettingsError
from flowy_watch.meter.config import KeyRules, MeterConfig, Origins, target_of
from flowy_watch.settings import load_meter


def loaded(tmp_path, text, **environ):
    file = tmp_path / "flowy-watch.toml"
    file.write_text(text)
    return load_meter(file, environ={f"FLOWY_WATCH__METER__{name}": value for name, value in environ.items()})[0]


def test_without_a_line_it_listens_on_loopback_in_front_of_flowy_and_limits_nobody(tmp_path):
    config = config_of(loaded(tmp_path, ""))
    target = target_of("https://apis.tryflowy.ai/genstudio-svc-v2/api/v1")
    assert (config.host, config.port, config.target.authority) == ("127.0.0.1", 8430, target.authority)
    assert (dict(config.keys), config.origins, config.limits) == ({}, Origins.TRUNCATED, MeterConfig(target, "").limits)


def test_what_stands_there_reaches_the_meter_in_its_units(tmp_path):
    text = """
        [source]
        kind = "api"                # without the token that the daemon needs
        [meter]
        listen = "[::1]:9000"
        prices = { poster = 2.5, "*" = 1 }
        max_body = 2
        answer_timeout = "90s"
        [meter.keys."A1b2"]
        name = "prod"
        daily_cap = 500
        requests_per_minute = 30
    """
    config = config_of(loaded(tmp_path, text, UPSTREAM="http://flowy.example:8000/v1", DRAIN="5s"))
    assert (config.host, config.port) == ("::1", 9000)
    assert (config.target.host, config.target.port, config.target.path) == ("flowy.example", 8000, b"/v1")
    assert config.prices == {"poster": 5 * CREDIT // 2, "*": CREDIT}
    assert config.keys == {"A1b2": KeyRules("prod", daily_cap=500 * CREDIT, requests_per_minute=30)}
    limits = config.limits
    assert (limits.body_bytes, limits.answer_seconds, limits.drain_seconds) == (2 * 1024 * 1024, 90.0, 5.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[meter]\nlisten = '8430'", "meter.listen must be an address and a port"),
        ("[meter]\nupstream = 'flowy'", "meter.upstream must be a whole address"),
        ("[meter]\norigins = 'none'", "meter.origins must be"),
        ("[meter]\norigins = 'hashed'", "set meter.origins_key_file"),
        ("[meter]\nprice = 3", "did you mean meter.prices"),
        ("[meter.prices]\nposter = -1", "meter.prices.poster must be"),
        ("[meter.keys.'flw_sk_0123456789abcdef']\nname = 'x'", "meter.keys."),
        ("[meter.keys.A1b2]\ndaily_limit = 3", "meter.keys.A1b2.daily_limit is no option"),
        ("[metre]\nlisten = 'x'", "metre is no option"),
    ],
)
def test_a_mistake_is_named_and_no_key_is_shown(tmp_path, text, words):
    with pytest.raises(SettingsError) as refused:
        loaded(tmp_path, text)
    assert words in str(refused.value)
    assert "0123456789abcdef" not in str(refused.value)
