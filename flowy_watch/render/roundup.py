"""Many alerts in few messages: when everything breaks at once, nobody can read five hundred."""

from collections.abc import Iterator, Sequence

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
from flowy_watch.render.phrase import bold, code, line, shorten, visible

ROOM = 9_000  # characters of lines in one message; Slack refuses more than about 13,000 for everything
WIDEST, NARROWEST = 140, 16
LONGEST_TEXT = 2_500
MOST_ROWS = 1_500  # beyond it a row has no room for a name any more


def roundup(notifications: Sequence[Notification], reader: Reader, *, most: int) -> tuple[Notice, ...]:
    """At most `most` notices in which every alert has its line, shortened as far as it must be."""
    ranked = sorted(notifications, key=_worst_first)
    unlisted = max(len(ranked) - MOST_ROWS, 0)
    listed = ranked[:MOST_ROWS]
    width = WIDEST if most == 1 else max(NARROWEST, min(WIDEST, most * ROOM // len(listed) - 1))
    per_page = len(listed) if most == 1 else max(-(-len(listed) // most), ROOM // (width + 1))
    pages = [listed[start : start + per_page] for start in range(0, len(listed), per_page)]
    notices = []
    for number, page in enumerate(pages, 1):
        place = f" ({number} of {len(pages)})" if len(pages) > 1 else ""
        rows = [_row(each, width) for each in page]
        if unlisted and number == len(pages):
            rows.append(f"and {unlisted:,} more")
        notices.append(_page(rows, ranked, reader, place))
    return tuple(notices)


def _page(rows: list[str], ranked: Sequence[Notification], reader: Reader, place: str) -> Notice:
    worst = ranked[0]
    mood = mood_of(worst)
    count = sum(mood_of(each) is mood for each in ranked)
    more = len(ranked) - count
    word = f"{count} alerts" if mood is Mood.CALM else f"{count} {mood.value.upper()}"
    others = f" and {more} more alerts" if more else ""
    first = f"{word}{others} at once{place}: {_who(worst)} {said_of_key(worst.alert.finding)}"
    about_keys = any(name_of(each.alert.finding) for each in ranked) and mood is not Mood.CALM
    way = (
        line(bold("Revoke what nobody expects"), ", by an owner or editor:"),
        line(bold("Settings → API keys → Revoke")),
    )
    press = (Part(Role.STOP, way, link=reader.api_keys_url),) if about_keys else ()
    return Notice(
        mood,
        shorten(first, LONGEST_SUBJECT),
        (*press, *_list(rows)),
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


def _row(notification: Notification, width: int) -> str:
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
    return f"{head}{name}{tail}{shorten(said, max(room - len(name), 4))}"


def _list(rows: list[str]) -> Iterator[Part]:
    """The rows in parts that are each short enough for one text of Slack's."""
    size, part = 0, list[str]()
    for row in rows:
        if part and size + len(row) > LONGEST_TEXT:
            yield Part(Role.MORE, rows=tuple(part))
            size, part = 0, []
        part.append(row)
        size += len(row) + 1
    yield Part(Role.MORE, rows=tuple(part))
