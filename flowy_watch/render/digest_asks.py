"""What a digest asks people to do, in words: what, whose it is, and the exact place."""

from dataclasses import dataclass

from flowy_watch.core.digest import Digest
from flowy_watch.core.forecast import Runway
from flowy_watch.core.todo import Task, Todo
from flowy_watch.render.digest_figures import count, credits_about, key_name, key_tail, owner_name
from flowy_watch.render.phrase import Line, bold, code, line, shorten, visible

KEYS_PAGE = "Settings → API keys"
_TITLE = 160


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing to do: what, whose it is, and where."""

    what: Line
    owner: str
    where: Line


def runway_words(runway: Runway) -> str:
    if runway.days is None:
        return "more than a year"
    least, most = runway.least, runway.most
    days = "1 day" if runway.days == 1 else f"{runway.days} days"
    if least == most == runway.days:
        return days
    return f"{days} ({least}–{most if most is not None else 'over 365'})"


def ask_of(todo: Todo, digest: Digest) -> Ask:
    key = todo.key
    name, owner = (bold(key_name(key)), key.owner) if key else (bold(""), "")
    tail, where = key_tail(key) if key else "", _where(todo)
    more = f" {count(todo.more, 'more key asks', 'more keys ask')} for the same." if todo.more else ""
    amount, unit = credits_about(todo.amount), digest.period.span.value
    match todo.task:
        case Task.TOP_UP:
            assert digest.runway
            assert digest.balance
            left = credits_about(digest.balance.at_end)
            what = line(bold("Top up"), f": the balance of {left} credits lasts {runway_words(digest.runway)}.")
        case Task.ANSWER:
            assert todo.alert
            owner = todo.alert.owner
            others = f" {count(todo.more, 'more alert waits', 'more alerts wait')} too." if todo.more else ""
            title = shorten(visible(todo.alert.title), _TITLE)
            what = line(bold(f"Answer alert {todo.alert.id}"), f" ({todo.alert.severity}): {title}.{others}")
        case Task.SET_CAP:
            assert key
            spent = credits_about(key.spent)
            what = line(
                "Give ", name, tail, f" a daily cap of about {amount} credits (two and a half times its high "
                f"days): it has none and spent {spent} credits this {unit}.{more}",
            )  # fmt: skip
        case Task.AT_CAP:
            assert key
            days = count(key.at_cap, "day")
            cap = f" of {credits_about(key.cap)} credits" if key.cap is not None else ""
            refused = f"{count(key.answers.capped, 'run')} with 402" if key.answers else "further runs"
            what = line("Look at ", name, tail, f": it spent its whole cap{cap} on {days}; refused: {refused}.{more}")
        case Task.EXPLAIN:
            what = line(bold(f"Find who spent {amount} credits"), " that no listed key explains.")
        case Task.REVOKE:
            assert key
            what = line("Revoke ", name, tail, f": unused for {key.idle_days} days or longer.{more}")
        case Task.LOWER_CAP:
            assert key
            high = credits_about(key.usual_high or 0)
            what = line(
                "Lower the cap of ", name, tail, f" from {credits_about(key.cap or 0)} to about {amount} credits: its "
                f"high days reach {high} credits.{more}",
            )  # fmt: skip
    return Ask(what, owner_name(owner), where)


def _where(todo: Todo) -> Line:
    key = f" → {key_name(todo.key)}{key_tail(todo.key)}" if todo.key else ""
    match todo.task:
        case Task.TOP_UP:
            return line("In Flowy, by an owner of the workspace")
        case Task.ANSWER:
            assert todo.alert
            number = todo.alert.id
            revoke = f" · nobody expects it? {KEYS_PAGE}{key} → Revoke" if key else ""
            return line(code(f"flowy-watch ack {number}"), " or ", code(f"flowy-watch why {number}"), revoke)
        case Task.EXPLAIN:
            return line(f"{KEYS_PAGE}: is there a key that flowy-watch cannot list?")
        case Task.REVOKE:
            return line(f"{KEYS_PAGE}{key} → Revoke")
        case _:
            return line(f"{KEYS_PAGE}{key} → daily spend cap")
