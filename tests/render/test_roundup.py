"""When everything breaks at once: few messages, and every key still listed."""

from dataclasses import replace

import pytest

from flowy_watch.core.alert import Change
from flowy_watch.core.finding import Severity
from flowy_watch.core.message import Dialect, EmailMessage, SlackMessage
from flowy_watch.core.notification import Notification

from .notices import CAP, RENDERER, named, notification, words
from .test_hostile_names import NAMES, assert_harmless_mail, assert_harmless_slack, everywhere


def many(count: int) -> list[Notification]:
    findings = (replace(named(f"customer-{n}-production-render"), key_id=f"key_{n}") for n in range(count))
    return [notification(finding, alert={"id": number}) for number, finding in enumerate(findings, 1)]


@pytest.mark.parametrize("count", [2, 30, 500])
def test_every_alert_has_its_line_in_at_most_three_posts_and_one_mail(count: int) -> None:
    posts = RENDERER.render_many(many(count), Dialect.SLACK)
    mails = RENDERER.render_many(many(count), Dialect.EMAIL)

    assert len(posts) <= 3
    assert len(mails) == 1
    for post in posts:
        assert isinstance(post, SlackMessage)
        assert_harmless_slack(post)
    (mail,) = mails
    assert isinstance(mail, EmailMessage)
    assert_harmless_mail(mail)
    shown = "".join(words(post) for post in posts if isinstance(post, SlackMessage)) + "\n"
    for number in range(1, count + 1):
        assert f"🔴 {number} customer-{number - 1}-" in shown
        assert f"🔴 {number} customer-{number - 1}-" in mail.text


def test_thousands_still_fit_and_say_how_many_are_not_listed() -> None:
    posts = RENDERER.render_many(many(4000), Dialect.SLACK)

    assert len(posts) == 3
    assert all(assert_harmless_slack(post) is None for post in posts if isinstance(post, SlackMessage))
    assert "and 2,500 more" in str(posts[-1])


def test_one_alert_is_told_as_itself_and_none_not_at_all() -> None:
    assert RENDERER.render_many([notification()], Dialect.EMAIL) == (RENDERER.render(notification(), Dialect.EMAIL),)
    assert RENDERER.render_many([], Dialect.EMAIL) == ()


def test_the_worst_comes_first_and_the_first_line_counts() -> None:
    warning = notification(replace(CAP, severity=Severity.WARNING, key_name="web", title="web is at 80 %"))
    (post,) = RENDERER.render_many([notification(CAP, Change.RESOLVED), warning, notification()], Dialect.SLACK)

    assert isinstance(post, SlackMessage)
    assert post.text.startswith("1 CRITICAL and 2 more alerts at once: prod-render is at 96 %")
    shown = words(post)
    assert shown.index("🔴 12 prod-render") < shown.index("🟠 12 web") < shown.index("✅ 12 prod-render")


def test_hostile_names_are_harmless_in_numbers() -> None:
    crowd = [notification(everywhere(name)) for name in NAMES.values()] * 10
    for post in RENDERER.render_many(crowd, Dialect.SLACK):
        assert isinstance(post, SlackMessage)
        assert_harmless_slack(post)
    (mail,) = RENDERER.render_many(crowd, Dialect.EMAIL)
    assert isinstance(mail, EmailMessage)
    assert_harmless_mail(mail)
