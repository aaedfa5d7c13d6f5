"""Whatever has the shape of a secret is hidden, and nothing else."""

import pytest

from flowy_watch.core.redact import redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key flw_sk_live_9f8e.", "key [hidden]."),
        ("flowy_pk_abcd-1234!", "[hidden]!"),
        ("flowy_0123456789ab", "[hidden]"),
        ("token xoxb-12345-abcdef", "token [hidden]"),
        ("xapp-1-A0B1-99", "[hidden]"),
        ("https://hooks.slack.com/services/T0/B0/x now", "https://hooks.slack.com/[hidden] now"),
        ("postgresql://flowy:pass@db/x", "postgresql://[hidden]@db/x"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer [hidden]"),
        ("authorization: basic dXNlcjpwYXNz=", "authorization: basic [hidden]"),
        ("flw_sk_aaaa and flw_sk_bbbb", "[hidden] and [hidden]"),
    ],
)
def test_secrets_are_hidden_wherever_they_stand(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text", ["", "flowy_watch", "https://flowy.example/settings", "postgresql://db:5432/x", "…9f8e"]
)
def test_ordinary_words_are_left_alone(text: str) -> None:
    assert redact(text) == text


def test_hiding_twice_changes_nothing_more() -> None:
    once = redact("https://u:pw@h Bearer abcdefg xoxb-1234")

    assert redact(once) == once
