"""Many alerts in few messages: when everything breaks at once, nobody can read five hundred."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from flowy_watch.core.bundle import Form
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
from flowy_watch.render.phrase import When, bold, code, line, shorten, visible

ROOM = 9_000  # characters of lines in one message; Slack refuses more than about 13,000 for everything
WIDEST, NARROWEST = 140, 16
LONGEST_TEXT = 2_500
MOST_ROWS = 500  # of one message: beyond it a row has no room for a name any more


@dataclass(frozen=True, slots=True)
class Page:
    """One message about many: its first line, and which of the notifications it lists, the worst first."""

    headline: str
    places: tuple[int, ...]


def paged(notifications: Sequence[Notification], form: Form, *, most: int) -> tuple[Page, ...]:
    """Deal the notifications out to at most `most` messages, as few as have room for a full line each."""
    places = _ranked(notifications)
    per_page = len(places) if most == 1 else max(-(-len(places) // most), ROOM // (WIDEST + 1))
    pages = [places[start : start + per_page] for start in range(0, len(places), per_page)]
    ranked = [notifications[place] for place in places]
    of = f" of {len(pages)})" if len(pages) > 1 else ""
    return tuple(
        Page(_headline(ranked, notifications[page[0]], form, of and f" ({number}{of}"), tuple(page))
        for number, page in enumerate(pages, 1)
    )


def listed(notifications: Sequence[Notification], headline: str, form: Form, reader: Reader, *, narrow: bool) -> Notice:
    """One page in words: a line for each alert; `narrow` where the whole message has a limit."""
    ranked = [notifications[place] for place in _ranked(notifications)]
    most = MOST_ROWS if narrow else 3 * MOST_ROWS
    heads = _heads(ranked[:most])
    room = ROOM - sum(map(len, heads)) - len(heads) if narrow else 0
    rows = [
        row
        for head, told in zip(heads, _rows(ranked[:most], form, reader, room), strict=True)
        for row in ((head, told) if head else (told,))
    ]
    if unlisted := len(ranked) - most if len(ranked) > most else 0:
        rows.append(f"and {unlisted:,} more")
    mood = Mood.CALM if form is Form.PASSED else mood_of(ranked[0])
    about_keys = any(name_of(each.alert.finding) for each in ranked) and mood is not Mood.CALM
    way = (
        line(bold("Revoke what nobody expects"), ", by an owner or editor:"),
        line(bold("Settings → API keys → Revoke")),
    )
    press = (Part(Role.STOP, way, link=reader.api_keys_url),) if about_keys else ()
    known = "alerts" if form is Form.PASSED else "alerts --open"
    return Notice(
        mood,
        headline,
        (*press, *_list(rows)),
        (
            line("All of them: ", code(f"flowy-watch {known}"), " · one of them: ", code("flowy-watch why NUMBER")),
            line(reader.workspace),
        ),
    )


def _headline(ranked: Sequence[Notification], first: Notification, form: Form, place: str) -> str:
    """Counts all of them and names the first of the page: on a lock screen every post says something else."""
    if form is Form.PASSED:
        many = f"{len(ranked)} alerts" if len(ranked) > 1 else "1 alert"
        held = all(each.held_until for each in ranked)
        return f"{many} came and went {'in quiet hours' if held else 'while this channel could not be reached'}{place}"
    mood = mood_of(ranked[0])
    count = sum(mood_of(each) is mood for each in ranked)
    more = len(ranked) - count
    word = f"{count} alerts over" if mood is Mood.CALM else f"{count} {mood.value.upper()}"
    others = f" and {more} more alert{'s' if more > 1 else ''}" if more else ""
    return shorten(f"{word}{others} at once{place}: {_who(first)} {said_of_key(first.alert.finding)}", LONGEST_SUBJECT)


def _ranked(notifications: Sequence[Notification]) -> list[int]:
    """Places, the worst first; of equally bad ones an owner's stand together, first whose keys spent most."""
    spent = [each.alert.finding.stakes.spent_today if each.alert.finding.stakes else 0 for each in notifications]
    rank = [(mood_of(each) is Mood.CALM, -each.alert.finding.severity) for each in notifications]
    by_owner: dict[tuple[object, str], int] = {}
    for place, each in enumerate(notifications):
        group = rank[place], each.owner
        by_owner[group] = by_owner.get(group, 0) + spent[place]

    def order(place: int) -> tuple[object, ...]:
        owner = notifications[place].owner
        return rank[place], -by_owner[rank[place], owner], owner, -spent[place]

    return sorted(range(len(notifications)), key=order)


def _heads(ranked: Sequence[Notification]) -> list[str]:
    """What stands above each row: an owner's name above the first of theirs, where that helps to find one's own."""
    heads: list[str] = []
    before: str | None = None if any(visible(each.owner) for each in ranked) else ""
    for each in ranked:
        owner = shorten(visible(each.owner), 40)
        heads.append(f"{owner or 'no owner'}:" if owner != before else "")
        before = owner
    return heads if sum(map(bool, heads)) * 2 <= len(heads) else [""] * len(heads)


def _who(notification: Notification) -> str:
    finding = notification.alert.finding
    return name_of(finding) or visible(finding.kind)


def _rows(notifications: Sequence[Notification], form: Form, reader: Reader, room: int) -> list[str]:
    """A line each, as full as there is room for all of them: what was said goes first, the name last."""
    fullest = (_full,) if form is Form.PASSED else (_with_others, _full)
    for words in (*fullest, _figures, _figures_alone, _name_alone):
        rows = [words(each, form, reader) for each in notifications]
        if not room or sum(map(len, rows)) + len(rows) <= room:
            return rows
    return [shorten(row, max(NARROWEST, room // len(rows) - 1)) for row in rows]


def _with_others(notification: Notification, form: Form, reader: Reader) -> str:
    """As `_full`, with what else is said of this key in place of how many more alerts it has."""
    finding = notification.alert.finding
    others = [shorten(said_of_key(replace(finding, title=title)), WIDEST // 2) for title in notification.also]
    row = _full(replace(notification, also=()), form, reader)
    return "; also ".join((row, *others))


def _full(notification: Notification, form: Form, reader: Reader) -> str:
    """`🔴 12 prod-render (…4f2a) is at 96 % of its daily cap`: the number first, since all commands ask for it."""
    finding = notification.alert.finding
    more = f" (and {len(notification.also)} more of this key)" if notification.also else ""
    tail = f"{more}{_span(notification, reader) if form is Form.PASSED else ''}"
    head = f"{_name_alone(notification, form, reader)}{tail_of(finding)} "
    return f"{head}{shorten(said_of_key(finding), max(WIDEST - len(head) - len(tail), 20))}{tail}"


def _figures(notification: Notification, form: Form, reader: Reader) -> str:
    head = f"{_name_alone(notification, form, reader)}{tail_of(notification.alert.finding)}"
    return f"{head} {_figure(notification, form, reader)}"


def _figures_alone(notification: Notification, form: Form, reader: Reader) -> str:
    return f"{_name_alone(notification, form, reader)} {_figure(notification, form, reader)}"


def _name_alone(notification: Notification, form: Form, _reader: Reader) -> str:
    mood = Mood.CALM if form is Form.PASSED else mood_of(notification)
    return f"{mood.sign} {notification.alert.id} {_who(notification)}"


def _figure(notification: Notification, form: Form, reader: Reader) -> str:
    """The shortest that says how bad: what was spent of what, else the beginning of the title."""
    stakes = notification.alert.finding.stakes
    if form is Form.PASSED:
        return _span(notification, reader).removeprefix(", ")
    if not stakes:
        return shorten(said_of_key(notification.alert.finding), 24)
    of_cap = f" of {credit_words(stakes.daily_cap)}" if stakes.daily_cap is not None else " today"
    return f"{credit_words(stakes.spent_today)}{of_cap}"


def _span(notification: Notification, reader: Reader) -> str:
    """`, 14:05 to 14:35 UTC (15:35 CET)`"""
    alert = notification.alert
    when = When(reader.timezone, notification.created_at)
    return f", {alert.opened_at:%H:%M} to {when(alert.resolved_at or alert.last_seen_at)}"


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
