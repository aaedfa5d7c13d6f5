"""The settings in force, with every secret hidden."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import time, timedelta
from typing import TYPE_CHECKING

from pydantic import BaseModel, SecretStr
from starlette.responses import Response

from flowy_watch.core.finding import Severity
from flowy_watch.core.redact import HIDDEN, redact
from flowy_watch.core.words import span_words
from flowy_watch.settings import Settings
from flowy_watch.web.visit import Visit

if TYPE_CHECKING:
    from flowy_watch.web.site import Site


def show(site: "Site", visit: Visit) -> Response:
    return site.page("settings.html.j2", visit, sections=in_force(site.settings))


def in_force(settings: Settings) -> list[tuple[str, list[tuple[str, str]]]]:
    """By section: each option and its value in words. A secret is only ever "set"."""
    secrets = settings.secrets()
    sections = []
    for name, field in type(settings).model_fields.items():
        found = [
            (option, _without(secrets, words)) for option, words in _options(getattr(settings, name), ()) if option
        ]
        sections.append((field.alias or name, found))
    return sections


def _options(value: object, place: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            found = getattr(value, name)
            if unit := isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("unit"):
                yield ".".join((*place, name)), f"{found:,} {unit}"
            else:
                yield from _options(found, place if name == "config" else (*place, name))
    elif is_dataclass(value) and not isinstance(value, type):
        for part in fields(value):
            yield from _options(getattr(value, part.name), (*place, part.name))
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _options(inner, (*place, str(name)))
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for number, inner in enumerate(value):
            yield from _options(inner, (*place, str(number + 1)))
    else:
        yield ".".join(place), _words(value)


def _words(value: object) -> str:
    if isinstance(value, SecretStr):
        return f"set {HIDDEN}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, timedelta):
        return span_words(value)
    if isinstance(value, Severity):
        return value.word
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(_words(part) for part in value) or "–"
    return "–" if value is None or value == "" else str(value)


def _without(secrets: frozenset[str], words: str) -> str:
    """A secret may also stand where none was expected, such as in an address."""
    for secret in sorted(secrets, key=len, reverse=True):
        words = words.replace(secret, HIDDEN)
    return redact(words)
