"""Many alerts in few messages: when everything breaks at once, nobody can read five hundred."""

from collections.abc import Sequence

from flowy_watch.core.notification import Notification
from flowy_watch.core.words import credit_words
from flowy_watch.render.notice import (
    LONGEST_SUBJECT,
    Mood,
    Notice,
    Part,
    Reader,
    Role,
    mood_of,
    name_of,
    said_of_key,
    tail_of,
)
from flowy_watch.render.phrase import Line, bold, code, line, shorten, visible

ROOM = 9_000  # characters of lines in one message; Slack refuses more than about 13,000 for everything
WIDEST, NARROWEST = 140, 16


def roundup(notifications: Sequence[Notification], reader: Reader, *, most: int) -> tuple[Notice, ...]:
    """At most `most` notices in which every alert has its line, shortened as far as it must be."""
    ranked = sorted(notifications, key=_worst_first)
    width = WIDEST if most == 1 else max(NARROWEST, min(WIDEST, most * ROOM // len(ranked) - 1))
    per_page = len(ranked) if most == 1 else max(-(-len(ranked) // most), ROOM // (width + 1))
    pages = [ranked[start : start + per_page] for start in range(0, len(ranked), per_page)]
    return tuple(
        _page(page, ranked, reader, width=width, place=f" ({number} of {len(pages)})" if len(pages) > 1 else "")
        for number, page in enumerate(pages, 1)
    )


def _page(
    page: Sequence[Notification], ranked: Sequence[Notification], reader: Reader, *, width: int, place: str
) -> Notice:
    worst = ranked[0]
    mood = mood_of(worst)
    count = sum(mood_of(each) is mood for each in ranked)
    more = len(ranked) - count
    word = f"{count} alerts" if mood is Mood.CALM else f"{count} {mood.value.upper()}"
    others = f" and {more} more alerts" if more else ""
    first = f"{word}{others} at once{place}: {_who(worst)} {said_of_key(worst.alert.finding)}"
    about_keys = any(name_of(each.alert.finding) for each in page) and mood is not Mood.CALM
    way = (
        line(bold("Revoke what nobody expects"), ", by an owner or editor:"),
        line(bold("Settings → API keys → Revoke")),
    )
    press = (Part(Role.STOP, way, link=reader.api_keys_url),) if about_keys else ()
    return Notice(
        mood,
        shorten(first, LONGEST_SUBJECT),
        (*press, Part(Role.MORE, tuple(_row(each, width) for each in page))),
        (
            line("All of them: ", code("flowy-watch alerts"), " · one of them: ", code("flowy-watch why NUMBER")),
            line(reader.workspace),
        ),
    )


def _worst_first(notification: Notification) -> tuple[int, int, int]:
    finding = notification.alert.finding
    at_risk = finding.stakes.spent_today if finding.stakes else 0
    calm = mood_of(notification) is Mood.CALM
    return calm, -finding.severity, -at_risk


def _who(notification: Notification) -> str:
    finding = notification.alert.finding
    return name_of(finding) or visible(finding.kind)


def _row(notification: Notification, width: int) -> Line:
    """`🔴 12 prod-render (…4f2a) 4,800 of 5,000`: the number first, since all commands ask for it."""
    alert, finding = notification.alert, notification.alert.finding
    head = f"{mood_of(notification).sign} {alert.id} "
    stakes = finding.stakes
    said = said_of_key(finding)
    if stakes and width < WIDEST // 2:
        said = credit_words(stakes.spent_today)
        said += f" of {credit_words(stakes.daily_cap)}" if stakes.daily_cap is not None else " today"
    tail = f"{tail_of(finding)} " if width >= WIDEST // 3 else " "
    room = max(width - len(head) - len(tail), 8)
    name = shorten(_who(notification), max(room - len(said), room // 2))
    return line(head, bold(name), tail, shorten(said, max(room - len(name), 4)))
