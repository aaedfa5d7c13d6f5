"""Notifications in the words of a dialect."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from flowy_watch.core.alert import Alert, Change
from flowy_watch.core.bundle import Form
from flowy_watch.core.edition import Issue
from flowy_watch.core.message import Dialect, EmailMessage, FactsMessage, Message, PlainMessage, SlackMessage
from flowy_watch.core.notification import UNDELIVERED, Manner, Notification
from flowy_watch.core.press import Verb, action_id
from flowy_watch.render.digest_mail import mail_of, notice_of
from flowy_watch.render.environment import build_environment
from flowy_watch.render.notice import (
    LONGEST_LINE,
    LONGEST_SUBJECT,
    Mood,
    Notice,
    Part,
    Reader,
    Role,
    ended,
    first_line,
    footer,
    money,
    mood_of,
    name_of,
    stopped,
    taken_on,
    verdict,
)
from flowy_watch.render.phrase import When, bold, code, line, plain, shorten, unbroken, visible
from flowy_watch.render.roundup import Page, listed, paged
from flowy_watch.render.steps import after_stop, ends, steps, stop_of, verbs_for

SLACK_HEADER = 150
REPEAT = "May be a repeat of a message whose delivery could not be confirmed."
LONGEST_URL = 3_000  # of a button in Slack


# Mrkdwn has no escape for these, only for &, < and >: they become their look-alikes.
_LOOK_ALIKES = str.maketrans({"*": "∗", "`": "ˋ", "~": "∼"})


class Renderer:
    """Turns facts into messages. Never fails on what a name contains."""

    def __init__(self, reader: Reader) -> None:
        url = reader.api_keys_url
        safe = url if url.startswith(("https://", "http://")) and len(url) <= LONGEST_URL else ""
        self._reader = Reader(shorten(visible(reader.workspace)), safe, reader.timezone)
        self._environment = build_environment()

    def render(self, notification: Notification, dialect: Dialect) -> Message:
        if notification.issue is not None:
            return self.render_digest(notification.issue, dialect)
        if notification.manner is Manner.THREAD and dialect.of_slack:
            return self._line(notification)
        return self._say(self.notice(notification), dialect, (notification,))

    def _line(self, notification: Notification) -> SlackMessage:
        """One line of a thread, which is about what its message is about."""
        when = When(self._reader.timezone, notification.created_at)
        said = notification.note if notification.target else first_line(notification)
        text = f"{when.clock(notification.created_at)} {shorten(visible(said), LONGEST_LINE)}"
        section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
        return SlackMessage(mrkdwn(text), ({"type": "rich_text", "elements": [section]},))

    def render_digest(self, issue: Issue, dialect: Dialect) -> Message:
        """A mail with pictures; elsewhere one message with the same words."""
        if dialect is Dialect.EMAIL:
            return mail_of(issue, self._reader, self._environment)
        return self._say(notice_of(issue.digest, self._reader), dialect)

    def pages(self, notifications: Sequence[Notification], dialect: Dialect, form: Form) -> tuple[Page, ...]:
        """How many notifications are dealt out to few messages: at most three for Slack, one for the others.

        Nothing yields nothing. The words of each are made by `render_page`.
        """
        return paged(notifications, form, most=3 if dialect.of_slack else 1)

    def render_page(
        self, notifications: Sequence[Notification], dialect: Dialect, *, headline: str, form: Form
    ) -> Message:
        """One message about many, each alert on a line of its own, the worst first."""
        told = tuple(notifications)
        notice = listed(told, headline, form, self._reader, narrow=dialect.of_slack)
        return self._say(notice, dialect, told)

    def as_repeat(self, message: Message) -> Message:
        """The same, saying that it may have been told before; mails and programs see that by its identity."""
        if not isinstance(message, SlackMessage):
            return message
        said = {"type": "text", "text": REPEAT, "style": {"italic": True}}
        note = {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [said]}]}
        first, *others = message.blocks
        return SlackMessage(f"{message.text} (may be a repeat)", (first, note, *others))

    def render_test(self, dialect: Dialect, channel_name: str, now: datetime) -> Message:
        """What `notify-test` sends: harmless, and plainly a test."""
        name = shorten(visible(channel_name))
        when = When(self._reader.timezone, now)
        lines = (
            line("flowy-watch can tell you things on channel ", bold(name), "."),
            line("Sent ", when(now), ". Nothing happened, nothing is to be done."),
        )
        below = line("Sent by ", code(f"flowy-watch notify-test {name}"), " · ", self._reader.workspace)
        notice = Notice(Mood.INFO, f"Test: channel {name} works", (Part(Role.VERDICT, lines),), (below,))
        return self._say(notice, dialect)

    def notice(self, notification: Notification) -> Notice:
        """The words without their dialect."""
        alert, when = notification.alert, When(self._reader.timezone, notification.created_at)
        parts: tuple[Part, ...]
        verbs: tuple[Verb, ...] = ()
        if notification.target:
            about = f"Told anew: {name_of(alert.finding) or visible(alert.finding.title)}"
            moved = Part(Role.VERDICT, (line(visible(notification.note)),))
            return Notice(Mood.MOVED, shorten(about, LONGEST_SUBJECT), (moved,), footer(alert, when, "")[:1])
        if alert.finding.kind == UNDELIVERED:
            which = line("Which ones: ", code("flowy-watch status"))
            told = (verdict(notification, when),)
            return Notice(mood_of(notification), first_line(notification), told, (which, line(self._reader.workspace)))
        if notification.change.ends:
            parts = (ended(alert, when),)
        elif notification.change is Change.STOPPED:
            parts = (stopped(notification, when), *after_stop(alert, self._reader))
        elif notification.change.takes_on:
            said = notification.change is Change.STOP_REPORTED
            way = () if said else stop_of(alert, self._reader)  # whoever revoked it needs no way to do so
            parts = (taken_on(notification, when), *_spent(alert, when), *way)
            verbs = () if said else tuple(verb for verb in verbs_for(alert) if verb is Verb.STOP)
        else:
            parts = (verdict(notification, when), *_spent(alert, when), *steps(alert, self._reader, when))
            verbs = verbs_for(alert)
        below = footer(alert, when, self._reader.workspace)
        return Notice(mood_of(notification), first_line(notification), parts, below, verbs)

    def _say(self, notice: Notice, dialect: Dialect, about: tuple[Notification, ...] = ()) -> Message:
        parts = tuple(part.without_gaps() for part in notice.parts)
        parts = tuple(part for part in parts if part.lines or part.bullets or part.rows)
        notice = replace(notice, parts=parts, footer=tuple(spans for spans in notice.footer if spans))
        if dialect.of_slack:
            text = self._fill(
                "slack/notice.json.j2",
                notice,
                header=shorten(f"{notice.mood.sign} {notice.first_line}", SLACK_HEADER),
                verbs=notice.verbs if dialect is Dialect.SLACK_BUTTONS else (),
                Verb=Verb,
                action_id=partial(action_id, alert_id=about[0].alert.id if len(about) == 1 else 0),
                ends=ends(self._reader.timezone),
            )
            return SlackMessage(mrkdwn(notice.first_line), tuple(json.loads(unbroken(text))))
        text = self._fill("email/notice.txt.j2", notice)
        if dialect is Dialect.PLAIN:
            return PlainMessage(text)
        if dialect is Dialect.FACTS:
            link = next((part.link for part in parts if part.link), "")
            return FactsMessage(notice.first_line, text, link, about)
        return EmailMessage(notice.first_line, text, unbroken(self._fill("email/notice.html.j2", notice)))

    def _fill(self, template: str, notice: Notice, **more: object) -> str:
        return self._environment.get_template(template).render(notice=notice, Role=Role, plain=plain, **more)


def _spent(alert: Alert, when: When) -> tuple[Part, ...]:
    stakes = alert.finding.stakes
    return (money(stakes, when),) if stakes else ()


def mrkdwn(text: str) -> str:
    """Plain words as mrkdwn that pings nobody, links nowhere and has no style."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _without_italics(escaped.translate(_LOOK_ALIKES))


def _without_italics(text: str) -> str:
    """Underscores begin italics only at the edge of a word; inside of `prod_render` they stay."""
    padded = f" {text} "
    return "".join(
        "＿" if c == "_" and not (before.isalnum() and after.isalnum()) else c
        for before, c, after in zip(padded, text, padded[2:], strict=False)
    )
