"""What a mail must be besides correct: readable on a phone, in the dark, offline and as text."""

import re

from flowy_watch.render.environment import breakable

from .notices import mail, notification
from .test_digest import mail as digest_mail
from .test_digest import usual

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


# Without <style>, as some mail programs show it, a mail must need nothing but these. caniemail 1.0.5 knows no mail
# program that lacks one of them, among Gmail, Outlook, Apple Mail, Yahoo, Proton and Samsung.
KNOWN = {
    "background", "border", "border-bottom", "border-collapse", "border-left", "border-top", "color", "display",
    "font-family", "font-size", "font-variant-numeric", "font-weight", "line-height", "margin", "max-width",
    "mso-hide", "padding", "padding-left", "padding-top", "margin-top", "text-align", "vertical-align", "width",
}  # fmt: skip


def test_a_mail_needs_only_what_every_mail_program_knows() -> None:
    for html in (MAIL.html, digest_mail(usual()).html):
        shown = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
        used = {
            rule.partition(":")[0].strip()
            for style in re.findall(r'style="([^"]*)"', shown)
            for rule in style.split(";")
        }
        assert used - {""} <= KNOWN
        assert "display:none" not in shown


def test_a_long_name_may_be_broken_where_no_style_says_so() -> None:
    assert breakable("x" * 40 + " <b>") == "x" * 16 + "<wbr>" + "x" * 16 + "<wbr>" + "x" * 8 + " &lt;b&gt;"
