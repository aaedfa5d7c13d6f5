"""What a spreadsheet would run stays words, and comes back as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowy_watch.core.spreadsheet import guarded, unguarded


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝cmd", "'＝cmd"),
        ("'=1", "''=1"),
        ("render", "render"),
        ("'tis", "'tis"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_only_what_begins_like_a_formula_is_guarded(text: str, written: str) -> None:
    assert guarded(text) == written


@given(st.text(st.sampled_from("'=+-@＝a ")) | st.text())
def test_what_was_guarded_comes_back_and_never_begins_a_formula(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert guarded(text)[:1] not in tuple("=+-@＝＋－＠")
