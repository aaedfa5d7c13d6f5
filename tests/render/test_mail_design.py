"""What a mail must be besides correct: readable on a phone, in the dark, offline and as text."""

from .notices import mail, notification

MAIL = mail(notification(owner="media-team"))


def test_the_text_part_is_written_for_reading() -> None:
    assert max(map(len, MAIL.text.splitlines())) <= 76
    assert "\n\n\n" not in MAIL.text
    assert "<" not in MAIL.text


def test_the_html_part_knows_its_language_the_dark_and_the_phone() -> None:
    assert '<html lang="en">' in MAIL.html
    assert 'name="color-scheme" content="light dark"' in MAIL.html
    assert 'name="viewport"' in MAIL.html
    dark = MAIL.html.partition("prefers-color-scheme: dark")[2].partition("</style>")[0]
    rules = [rule for rule in dark.split(";") if ":" in rule]
    assert rules
    assert all("!important" in rule for rule in rules)


def test_nothing_is_loaded_from_elsewhere() -> None:
    assert not any(word in MAIL.html for word in ("<img", "src=", "@import", "url(", "<link"))
