"""Words about what is wrong with an option: its name as TOML would write it, and never its value."""

import difflib
import json
import re
from collections.abc import Iterable
from typing import NoReturn

from flowy_watch.core.redact import redact
from flowy_watch.errors import SettingsError

PREFIX = "FLOWY_WATCH__"
NAME = re.compile(r"[A-Za-z0-9_-]+")

Place = tuple[str | int, ...]
"""The way to an option, such as `("routes", 0, "channels")`."""


def refuse(place: Place, why: str) -> NoReturn:
    hint = ""
    if why == _WORDS["missing"]:
        hint = f"; set it in the configuration or as {PREFIX}{'__'.join(str(part).upper() for part in place)}"
    raise SettingsError(redact(f"{dotted(place)} {why}{hint}")) from None


def dotted(place: Place) -> str:
    """As TOML would write it: `keys."prod-*".owner`; `routes[0]` for the first of a list."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if NAME.fullmatch(part) else json.dumps(part, ensure_ascii=False))
    return text


def one_of(names: Iterable[str]) -> str:
    *most, last = (f'"{name}"' for name in names)
    return f"{', '.join(most)} or {last}" if most else last


def refuse_unknown(names: Iterable[str], known: Iterable[str], place: Place, beside: Iterable[str] = ()) -> None:
    known = [*known, *beside]
    for name in names:
        if name not in known:
            refuse((*place, name), f"is no option; {_suggestion(name, known, place)}")


def _suggestion(name: str, known: list[str], place: Place) -> str:
    close = difflib.get_close_matches(name.lower(), known, 1)
    if close:
        return f"did you mean {dotted((*place, close[0]))}?"
    where = dotted(place) if place else "the configuration"
    return f"{where} has {', '.join(known)}"


def refuse_others(names: Iterable[str], known: Iterable[str], place: Place, what: str) -> None:
    known = list(known)
    for number, name in enumerate(names):
        if name not in known:
            refuse((*place, number), f"must be one of the {what}: {', '.join(known) or 'there are none'}")


_WORDS = {
    "missing": "is missing",
    "string_type": "must be text in quotes",
    "bool": "must be true or false",
    "int": "must be a whole number",
    "float": "must be a number",
    "tuple_type": 'must be a list in brackets, such as ["…"]',
    "time": 'must be a time of day, such as "09:00"',
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "has a character that is not allowed there",
}


def words_of(kind: str, message: str) -> str:
    """What is wrong, in our words where pydantic speaks to programmers. Its own never hold the value."""
    found = _WORDS.get(kind) or _WORDS.get(kind.partition("_")[0])
    if found:
        return found
    message = message.removeprefix("Value error, ").replace("Input should", "must")
    return message if message.startswith(("must ", "is ", "has ", "names ")) else f"is refused: {message}"
