"""The section `source` of kind `api`: its defaults, and what it refuses without showing it."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from flowy_watch.sources.api import ApiSource

from .conftest import TOKEN


def errors(**options: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        ApiSource.Config(**({"token": TOKEN} | options))
    return {".".join(map(str, error["loc"])): error["msg"] for error in caught.value.errors()}


def test_only_the_token_has_no_default() -> None:
    config = ApiSource.Config(token=TOKEN)
    assert config.base_url == "https://apis.tryflowy.ai/genstudio-svc-v2/api/v1"
    assert (config.timeout, config.deadline) == (timedelta(seconds=10), timedelta(seconds=60))
    assert (config.max_body, config.page_limit, config.max_pages, config.retries) == (32 * 1024**2, 500, 1000, 4)
    assert config.keys.path == "/keys"
    assert config.workspace.balance == "data.creditBalance"
    assert config.fields.spent_today == "spentToday"


@pytest.mark.parametrize(
    "expression", ["a..b", "foo(", "[", "a b", "'x", "data[", "unknown_function(a)", "map(&nope(@), a)"]
)
@pytest.mark.parametrize(
    ("section", "option"),
    [("fields", "daily_cap"), ("keys", "items"), ("keys", "next_cursor"), ("workspace", "balance")],
)
def test_a_wrong_expression_is_refused_by_the_name_of_its_option(section: str, option: str, expression: str) -> None:
    assert list(errors(**{section: {option: expression}})) == [f"{section}.{option}"]


@pytest.mark.parametrize("option", ["id", "spent_today"])
def test_a_key_needs_an_id_and_a_spend(option: str) -> None:
    assert list(errors(fields={option: ""})) == [f"fields.{option}"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("base_url", "apis.tryflowy.ai"),
        ("base_url", "ftp://host"),
        ("base_url", "http://"),
        ("base_url", "http://[bad"),
        ("base_url", "http://host:port"),
        ("base_url", "http://host name"),
        ("base_url", "http://host/v1?"),
        ("base_url", f"https://user:{TOKEN}@host/v1"),
        ("base_url", f"https://host/v1?token={TOKEN}"),
        ("base_url", f"https://host/v1#{TOKEN}"),
        ("token", f"{TOKEN}\n"),
        ("token", f"{TOKEN}\r\nX-Evil: 1"),
        ("token", f"{TOKEN}ü"),
        ("token", ""),
        ("headers", {"X-Extra": f"{TOKEN}\n"}),
        ("headers", {"X Extra:": TOKEN}),
        ("keys", {"path": f"/keys?token={TOKEN}"}),
        ("keys", {"path": "keys"}),
        ("keys", {"path": ""}),
        ("timeout", 0),
        ("deadline", -1),
        ("deadline", 1e12),
        ("retries", -1),
        ("page_limit", 0),
        ("max_body", 0),
        ("tokn", TOKEN),
        ("fields", {"spend": TOKEN}),
    ],
)
def test_a_wrong_option_is_refused_without_showing_its_value(option: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        ApiSource.Config(**({"token": TOKEN} | {option: value}))
    assert option in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert all(TOKEN not in error["msg"] for error in caught.value.errors())


def test_a_slash_at_the_end_of_the_base_url_does_no_harm() -> None:
    assert ApiSource.Config(token=TOKEN, base_url="http://127.0.0.1:1/v1/").base_url == "http://127.0.0.1:1/v1"
