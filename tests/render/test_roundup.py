"""When everything breaks at once: few messages, and every key still listed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from slack_sdk.models.blocks import Block

from flowy_watch.core.alert import Change
from flowy_watch.core.bundle import Form
from flowy_watch.core.finding import Severity
from flowy_watch.core.message import Dialect, EmailMessage, Message, SlackMessage
from flowy_watch.core.notification import Notification, undelivered

from .notices import CAP, NOW, RENDERER, STAKES, mail, named, notification, slack, words
from .test_hostile_names import NAMES, Tags, assert_harmless_mail, assert_harmless_slack, everywhere


def many(count: int, name: str = "customer-{}-production-render") -> list[Notification]:
    findings = (replace(named(name.format(n)), key_id=f"key_{n}") for n in range(count))
    return [notification(finding, alert={"id": number}) for number, finding in enumerate(findings, 1)]


def render_many(told: list[Notification], dialect: Dialect, form: Form = Form.ROUNDUP) -> list[Message]:
    return [
        RENDERER.render_page([told[n] for n in page.places], dialect, headline=page.headline, form=form)
        for page in RENDERER.pages(told, dialect, form)
    ]


def posts_of(told: list[Notification], form: Form = Form.ROUNDUP) -> list[SlackMessage]:
    posts = [post for post in render_many(told, Dialect.SLACK, form) if isinstance(post, SlackMessage)]
    for post in posts:
        assert_harmless_slack(post)
        for block in Block.parse_all([dict(block) for block in post.blocks]):
            block.validate_json()
    return posts


def mail_of(told: list[Notification], form: Form = Form.ROUNDUP) -> EmailMessage:
    (made,) = render_many(told, Dialect.EMAIL, form)
    assert isinstance(made, EmailMessage)
    if form is Form.PASSED:
        assert not Tags(made.html).links
    else:
        assert_harmless_mail(made)
    return made


@pytest.mark.parametrize("form", [Form.ROUNDUP, Form.PASSED])
@pytest.mark.parametrize("count", [2, 30, 500])
def test_every_alert_has_its_line_in_at_most_three_posts_and_one_mail(count: int, form: Form) -> None:
    change, sign = (Change.OPENED, "🔴") if form is Form.ROUNDUP else (Change.RESOLVED, "✅")
    told = [replace(each, change=change) for each in many(count)]
    posts, made = posts_of(told, form), mail_of(told, form)

    assert len(posts) <= 3
    shown = "".join(words(post) for post in posts) + "\n"
    for number in range(1, count + 1):
        assert f"{sign} {number} customer-{number - 1}-production-render" in shown
        assert f"{sign} {number} customer-{number - 1}-production-render" in made.text


def test_a_name_is_the_last_thing_to_be_cut() -> None:
    posts = posts_of(many(500, "the-{}-very-long-name-of-a-key-for-tests"))
    shown = "".join(map(words, posts))
    assert all(f"🔴 {n + 1} the-{n}-very-long-name-of-a-key-for-tests" in shown for n in range(500))
    posts = posts_of(many(500, "the-{}-name-that-nobody-could-ever-show-in-so-little-room"))
    assert all(f"the-{n}-name-that-nobody" in "".join(map(words, posts)) for n in range(500))


def test_thousands_still_fit_and_say_how_many_are_not_listed() -> None:
    posts = posts_of(many(4000))

    assert len(posts) == 3
    assert sum("more" in words(post) for post in posts) == 3
    assert "and 834 more" in words(posts[0])


def test_few_fit_into_one_post_with_all_that_was_said() -> None:
    (post,) = posts_of(many(5))
    assert "🔴 1 customer-0-production-render (…4f2a) is at 96 % of its daily cap (4,800 of 5,000 credits)" in words(
        post
    )
    assert post.text.startswith("5 CRITICAL at once: customer-0-production-render is at 96 %")
    assert RENDERER.pages([], Dialect.SLACK, Form.ROUNDUP) == ()


def test_the_worst_comes_first_and_the_first_line_counts() -> None:
    warning = notification(replace(CAP, severity=Severity.WARNING, key_name="web", title="web is at 80 %"))
    (post,) = posts_of([notification(CAP, Change.RESOLVED), warning, notification()])

    assert post.text.startswith("1 CRITICAL and 2 more alerts at once: prod-render is at 96 %")
    shown = words(post)
    assert shown.index("🔴 12 prod-render") < shown.index("🟠 12 web") < shown.index("✅ 12 prod-render")


def test_the_first_of_several_posts_holds_the_worst() -> None:
    told = many(500)
    calmer = [replace(each, alert=replace(each.alert, finding=replace(CAP, severity=Severity.INFO))) for each in told]
    posts = posts_of([*calmer[:300], *told[300:]])
    assert [post.text[:40] for post in posts] == [
        f"200 CRITICAL and 300 more alerts at once {place}"[:40] for place in ("(1 of 3)", "(2 of 3)", "(3 of 3)")
    ]
    assert "🔵" not in words(posts[0])
    assert "🔴" not in words(posts[2])


def test_a_row_says_what_else_is_wrong_with_its_key_where_there_is_room() -> None:
    told = [replace(each, also=(f"{each.alert.finding.key_name} is at 86 % of its daily cap",)) for each in many(40)]
    (post,) = posts_of(told)
    assert words(post).count("; also is at 86 % of its daily cap") == 40
    crowd = [replace(each, also=("x " * 40,)) for each in many(500)]
    assert not any("; also" in words(post) for post in posts_of(crowd))


def test_what_came_and_went_is_calm_says_when_and_asks_for_nothing() -> None:
    opened = {"opened_at": NOW - timedelta(hours=1), "resolved_at": NOW - timedelta(minutes=20)}
    told = [replace(each, also=("another",)) for each in many(1)]
    told = [notification(told[0].alert.finding, Change.RESOLVED, alert={"id": 7, **opened}, also=("another",))]
    (post,) = posts_of(told, Form.PASSED)
    assert post.text == "1 alert came and went while this channel could not be reached"
    assert "✅ 7 customer-0-production-render (…4f2a) is at 96 % of its daily cap" in words(post)
    assert "(and 1 more of this key), 13:05 to 13:45 UTC (14:45 CET)" in words(post)
    assert "Revoke" not in words(post)


def test_a_channel_that_refuses_is_told_elsewhere_with_the_cause_and_without_steps() -> None:
    told = undelivered("ops", tell="mail", cause="invalid_auth: set channels.ops.token", alerts=3, now=NOW)
    assert slack(told).text == "CRITICAL: ops could not be told: 3 alerts were not delivered there"
    assert "invalid_auth: set channels.ops.token" in words(slack(told))
    assert "flowy-watch status" in mail(told).text
    assert "Revoke" not in words(slack(told))
    assert "Alert 0" not in mail(told).text


def test_hostile_names_are_harmless_in_numbers() -> None:
    crowd = [notification(everywhere(name)) for name in NAMES.values()] * 10
    assert len(posts_of(crowd)) <= 3
    assert mail_of(crowd)
    assert posts_of(crowd, Form.PASSED)
    assert mail_of(crowd, Form.PASSED)


def test_what_is_equally_bad_stands_under_its_owner_the_one_who_spent_most_first() -> None:
    told = [replace(each, owner=("ads", "media")[n % 2]) for n, each in enumerate(many(4))]
    stakes = replace(STAKES, spent_today=1)
    little = replace(told[0].alert.finding, stakes=stakes)
    told[0] = replace(told[0], alert=replace(told[0].alert, finding=little))
    (post,) = posts_of(told)
    rows = [row.partition(" customer")[0] for row in words(post).splitlines() if row.endswith(":") or "customer" in row]
    assert rows[-6].endswith("media:")
    assert rows[-5:] == ["🔴 2", "🔴 4", "ads:", "🔴 3", "🔴 1"]


def test_keys_of_nobody_stand_under_a_heading_of_their_own_where_others_have_an_owner() -> None:
    (post,) = posts_of([replace(each, owner="media" if n > 2 else "") for n, each in enumerate(many(5))])
    assert "no owner:" in words(post)
    (post,) = posts_of(many(5))
    assert "no owner:" not in words(post)


def test_owners_of_one_key_each_make_no_headings() -> None:
    told = [replace(each, owner=f"team {n}") for n, each in enumerate(many(6))]
    (post,) = posts_of(told)
    assert "team 3:" not in words(post)
