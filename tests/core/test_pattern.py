"""Which keys a pattern means."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowy_watch.core.pattern import matches


@pytest.mark.parametrize(
    ("pattern", "name", "is_meant"),
    [
        ("render", "render", True),
        ("render", "render-2", False),
        ("*", "", True),
        ("prod-*", "prod-", True),
        ("*-eu-*", "prod-eu-1", True),
        ("*ab*b", "ab", False),
        ("a*a", "a", False),
        ("[a].*", "[a].\nb", True),
        ("**x**", "axb", True),
    ],
)
def test_a_star_stands_for_anything_and_nothing_else_is_special(pattern: str, name: str, is_meant: bool) -> None:
    assert matches(pattern, name) is is_meant


@given(st.text("ab*", max_size=8), st.text("ab", max_size=12))
def test_it_means_what_trying_every_way_would_find(pattern: str, name: str) -> None:
    assert matches(pattern, name) is bool(re.fullmatch(pattern.replace("*", ".*"), name))


def test_many_stars_cost_no_more_time_than_a_few() -> None:
    assert not matches("*a" * 50 + "*b", "a" * 200)  # trying every way would take longer than the sun will last
