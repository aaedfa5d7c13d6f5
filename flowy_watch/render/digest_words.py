"""A digest in words: what every dialect says, in the order in which people need it."""

from collections.abc import Iterator
from dataclasses import dataclass

from flowy_watch.core.digest import OTHER, UNATTRIBUTED, Contribution, Digest, KeyFigures, by_owner, contributions
from flowy_watch.core.forecast import Expected
from flowy_watch.core.period import Period, Span
from flowy_watch.core.todo import todos
from flowy_watch.core.usage import Microcredits
from flowy_watch.core.words import SPEND_NOT_KNOWN, span_words
from flowy_watch.render.digest_asks import Ask, ask_of, runway_words
from flowy_watch.render.digest_figures import (
    count,
    credits_about,
    day_words,
    key_name,
    key_tail,
    moved,
    owner_name,
    percent,
)
from flowy_watch.render.digest_sections import Section, sections_of
from flowy_watch.render.phrase import Line, When, bold, code, line

_MOST_DAYS = 6
_MOST_OWNERS = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One contribution in a table."""

    name: str
    tail: str
    owner: str
    spent: str
    share: str
    change: str
    key: KeyFigures | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """The words of one edition."""

    subject: str
    title: str
    subtitle: str
    caveats: tuple[Line, ...]
    verdict: tuple[Line, ...]
    asks: tuple[Ask, ...]
    rows: tuple[Row, ...]
    owners: tuple[Row, ...]
    sections: tuple[Section, ...]
    footer: tuple[Line, ...]
    empty: bool = False


def sheet_of(digest: Digest, workspace: str, when: When) -> Sheet:
    """Everything that is said; sections without anything to say are left out."""
    asked = todos(digest)
    empty = digest.empty and not asked
    about = _about(digest)
    return Sheet(
        subject=_subject(digest, len(asked), about),
        title=f"Flowy spend, {about}",
        subtitle=f"{_days(digest.period)}, UTC days" + (f" · {workspace}" if workspace else ""),
        caveats=tuple(_caveats(digest)),
        verdict=tuple(_verdict(digest)),
        asks=tuple(ask_of(todo, digest) for todo in asked),
        rows=() if empty else tuple(_row(part, digest) for part in contributions(digest)),
        owners=tuple(_owner_rows(digest)),
        sections=sections_of(digest),
        footer=tuple(_footer(digest, when)),
        empty=empty,
    )


def _days(period: Period) -> str:
    last = list(period.days())[-1]
    first = f"{period.first.day}" if period.first.month == last.month else f"{period.first.day} {period.first:%b}"
    if period.first.year != last.year:
        first += f" {period.first.year}"
    return f"{first}–{last.day} {last:%b %Y}" if first.isdigit() else f"{first} – {last.day} {last:%b %Y}"


def _about(digest: Digest) -> str:
    period = digest.period
    name = f"{period.first:%B %Y}" if period.span is Span.MONTH else f"week {int(period.name[-2:])}"
    return f"{name}, {owner_name(digest.owner)}" if digest.owner else name


def _subject(digest: Digest, asks: int, about: str) -> str:
    about = about if digest.period.span is Span.MONTH else about.replace("week ", "W", 1)
    if digest.empty and not asks:
        return f"Flowy spend {about}: " + ("nothing was seen" if digest.unseen else "nothing spent, nothing happened")
    least = "≥" if digest.at_least else ""
    change = moved(digest.of_keys, digest.before)
    parts = [f"{least}{credits_about(digest.total)} credits" + (f" ({change})" if change not in ("", "new") else "")]
    if digest.unknown or digest.unseen:
        parts = ["not known"]
    if asks:
        parts.append(count(asks, "action"))
    if digest.runway and digest.runway.days is not None:
        parts.append(f"runway {count(digest.runway.days, 'day')}")
    return f"Flowy spend {about}: {', '.join(parts)}"


def _verdict(digest: Digest) -> Iterator[Line]:
    unit, many = ("week", "weeks") if digest.period.span is Span.WEEK else ("month", "months")
    if digest.unseen:
        yield line(f"Nothing was seen of this {unit}: what was spent is not known.")
        return
    if digest.empty:
        yield line(f"Nothing was spent and nothing happened this {unit}.")
        return
    if digest.unknown:
        yield line(bold("What was spent is not known"), ": no source that is configured tells it.")
        yield from _balance(digest)
        return
    least = "At least " if digest.at_least else ""
    parts: list[str] = []
    if digest.before:
        parts.append(f"{moved(digest.of_keys, digest.before)} against the {unit} before")
    elif digest.before == 0:
        parts.append(f"nothing was spent the {unit} before")
    if digest.usual:
        parts.append(f"{moved(digest.of_keys, digest.usual)} against the usual {credits_about(digest.usual)} credits")
    note = f" (the median of the {len(digest.earlier)} {many} before)" if digest.usual else ""
    if digest.unattributed and parts:
        note += ", keys alone"
    yield line(least, bold(f"{credits_about(digest.total)} credits"), f": {', '.join(parts)}{note}." if parts else ".")
    if digest.owner and digest.share is not None:
        share, whole = percent(digest.share, signed=False), credits_about(digest.workspace_spent)
        yield line(bold(share), f" of the workspace's {whole} credits.")
        yield from _workspace_balance(digest)
    if digest.unattributed:
        share = percent(digest.unattributed / digest.total, signed=False)
        yield line(
            bold(f"{credits_about(digest.unattributed)} credits unattributed"),
            f" ({share}): the balance fell by so much more than the listed keys spent.",
        )
    yield from _balance(digest)
    if digest.month:
        yield line(f"{digest.month_name} will cost about ", bold(_expected(digest.month)), " credits.")
    if digest.foretold:
        yield line(
            f"Before it began, this {unit} was expected at {_expected(digest.foretold)} credits: "
            f"it came out {_held(digest.foretold, digest.of_keys)}."
        )
    if digest.month or digest.foretold:
        yield line("Ranges in brackets are meant to hold four times out of five.")


def _balance(digest: Digest) -> Iterator[Line]:
    balance = digest.balance
    if balance is None:
        return
    lasts = (", lasts ", bold(runway_words(digest.runway)), " at the expected burn") if digest.runway else ()
    rose = f", topped up by {credits_about(balance.rose)} credits" if balance.rose else ""
    ahead = digest.ahead
    burn = f" of {credits_about(ahead[-1].amount // len(ahead))} credits a day" if ahead and ahead[-1].amount else ""
    yield line(
        "Balance ", bold(f"{credits_about(balance.at_end)} credits"), *lasts, f"{burn}{rose}." if lasts else f"{rose}."
    )


def _workspace_balance(digest: Digest) -> Iterator[Line]:
    """To an owner it says how long their keys can go on; the rest of it is in the workspace's own digest."""
    if digest.workspace_balance is not None and digest.workspace_runway is not None:
        left, lasts = credits_about(digest.workspace_balance), runway_words(digest.workspace_runway)
        yield line(f"The workspace's balance of {left} credits lasts ", bold(lasts), ", by what all keys spend.")


def _caveats(digest: Digest) -> Iterator[Line]:
    missing, length = digest.missing_days, digest.period.length
    if digest.unseen:
        pass  # the verdict says so
    elif len(missing) == length:
        yield line(bold("Nothing was seen to its end"), " on any day: every figure is a least.")
    elif missing:
        named = ", ".join(day_words(day) for day in missing[:_MOST_DAYS])
        more = f" and {len(missing) - _MOST_DAYS} more" if len(missing) > _MOST_DAYS else ""
        yield line(
            bold(f"Not seen to its end: {named}{more}"),
            ". What was spent then is not filled in: totals are a least (≥).",
        )
    elif any(key.open_days for key in digest.keys):
        keys = sum(1 for key in digest.keys if key.open_days)
        yield line(
            bold(f"{count(keys, 'key')} left the list"),
            " before a day had ended: what is known of that day is a least (≥).",
        )
    if digest.unknown_keys and not digest.unknown:
        yield line(
            bold(f"{count(digest.unknown_keys, 'key')}: {SPEND_NOT_KNOWN}"),
            ", on all days or some. The total is a least (≥).",
        )
    if priced := sum(1 for key in digest.keys if key.by_price and key.spent):
        yield line(bold(f"{count(priced, 'key')} by price"), ": runs that were counted, not what Flowy billed.")
    if summed := sum(key.many for key in digest.keys if key.many > 1):
        yield line(
            bold(f"{summed:,} keys are summed up"),
            f" by owner: what is told of single keys is told of the other {len(digest.single_keys):,}.",
        )
    if digest.blind_hours:
        yield line(bold(f"{count(digest.blind_hours, 'hour')} without a good poll"), ".")
    if digest.late_by:
        why = "it waited for late figures" if missing else "nothing ran when it was due"
        yield line(f"Sent {span_words(digest.late_by)} late: {why}.")


def _expected(expected: Expected) -> str:
    low, high = credits_about(expected.low), credits_about(expected.high)
    return credits_about(expected.amount) + (f" ({low}–{high})" if low != high else "")


def _held(expected: Expected, spent: Microcredits) -> str:
    if expected.holds(spent):
        return "within"
    return "above that" if spent > expected.high else "below that"


def _row(part: Contribution, digest: Digest) -> Row:
    key = part.key
    share = percent(part.spent / digest.total, signed=False) if digest.total else ""
    if key is None:
        name = f"{part.keys:,} {OTHER}" if part.name == OTHER else UNATTRIBUTED
        return Row(name, "", "", credits_about(part.spent), share, "")
    before = key.earlier[0] if key.earlier and digest.before is not None else None
    least = "≥" if key.open_days or key.unknown_days else ""
    change = moved(key.spent, before)
    owner = owner_name(key.owner)
    return Row(key_name(key), key_tail(key), owner, f"{least}{credits_about(key.spent)}", share, change, key)


def _owner_rows(digest: Digest) -> Iterator[Row]:
    """Nothing where there is one owner or none."""
    owners = [one for one in by_owner(digest) if one[1] or one[2]]
    if len(by_owner(digest)) < 2:
        return
    shown = owners if len(owners) <= _MOST_OWNERS + 1 else owners[:_MOST_OWNERS]
    for owner, now, before in shown:
        yield _sum_row(owner_name(owner) or "nobody named", now, before, digest)
    if others := owners[len(shown) :]:
        now, before = sum(one[1] for one in others), sum(one[2] for one in others)
        yield _sum_row(f"{len(others):,} other owners", now, before, digest)
    if digest.unattributed:
        share = percent(digest.unattributed / digest.total, signed=False)
        yield Row(UNATTRIBUTED, "", "", credits_about(digest.unattributed), share, "")


def _sum_row(name: str, now: Microcredits, before: Microcredits, digest: Digest) -> Row:
    share = percent(now / digest.total, signed=False) if digest.total else ""
    change = moved(now, before if digest.before is not None else None)
    return Row(name, "", "", credits_about(now), share, change)


def _footer(digest: Digest, when: When) -> Iterator[Line]:
    option = f"--{digest.period.span.value} {digest.period.name}"
    yield line(
        f"Figures as of {day_words(digest.made_at)}, {when.clock(digest.made_at)}. Credits are counted by the UTC day."
    )
    yield line("Again, or as JSON: ", code(f"flowy-watch digest {option} --json"))
