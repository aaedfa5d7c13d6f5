"""Makes raw values into options: each by its type, with durations, variables and secrets read on the way."""

import math
import tomllib
import types
from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from datetime import time as clock_time
from datetime import timedelta
from pathlib import Path, PurePath
from typing import Annotated, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from flowy_watch.settings.checks import parse_duration
from flowy_watch.settings.refusal import Place, refuse, refuse_unknown, words_of

T = TypeVar("T")


class FromEnvironment(str):
    """The raw text of a variable: what it means depends on the type of the option it is for."""


def made(kind: type[T], raw: object, place: Place, *, beside: Iterable[str] = ()) -> T:
    """`raw` as a value of `kind`: a model, a dataclass or a plain type. `beside` are options already taken out."""
    fitted = _fitted(kind, raw, place, beside)
    try:
        return TypeAdapter(kind).validate_python(fitted)
    except ValidationError as error:
        # The first is enough: one clear line. `from None`, because a traceback would show the value.
        first = error.errors(include_url=False, include_input=False)[0]
        refuse((*place, *(part for part in first["loc"] if part != "[key]")), words_of(first["type"], first["msg"]))


def _fitted(kind: object, raw: object, place: Place, beside: Iterable[str] = ()) -> object:
    """`raw` with durations and variables read by the type they are for, secrets fetched, unknown names refused."""
    kind = _bare(kind)
    if isinstance(raw, FromEnvironment):
        raw = str(raw) if _is_text(kind) else _meaning(raw)
    if isinstance(raw, float) and not math.isfinite(raw):
        refuse(place, "must be a finite number")
    options = _options_of(kind)
    if kind is timedelta:
        return _duration(raw, place)
    if options is not None:
        table = table_of(raw, place)
        _fetch_secrets(table, options, place)
        refuse_unknown(table, options, place, beside)
        return {name: _fitted(options[name], part, (*place, name)) for name, part in table.items()}
    if get_origin(kind) is dict:
        of = get_args(kind)[1]
        table = table_of(raw, place)
        _fetch_secrets(table, dict.fromkeys((n.removesuffix("_file") for n in table), of), place)
        return {name: _fitted(of, part, (*place, name)) for name, part in table.items()}
    if isinstance(raw, list):
        of = get_args(kind)[0] if get_args(kind) else object
        return [_fitted(of, part, (*place, number)) for number, part in enumerate(raw)]
    return raw


def _bare(kind: object) -> object:
    """Without annotations, and without `| None`."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        kinds = [part for part in get_args(kind) if part is not types.NoneType]
        return _bare(kinds[0]) if len(kinds) == 1 else kind
    return kind


def _is_text(kind: object) -> bool:
    if get_origin(kind) is Literal:
        return True
    return isinstance(kind, type) and issubclass(kind, str | SecretStr | PurePath | timedelta | clock_time)


def _options_of(kind: object) -> dict[str, object] | None:
    """The types of the options by the name people write; None when `kind` is no section."""
    if not isinstance(kind, type):
        return None
    if issubclass(kind, BaseModel):
        return {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
    return dict(get_type_hints(kind)) if is_dataclass(kind) else None


def table_of(raw: object, place: Place) -> dict[str, object]:
    """A copy."""
    if isinstance(raw, FromEnvironment):
        raw = _meaning(raw)
    if not isinstance(raw, dict):
        refuse(place, "must be a table of options")
    return dict(raw)


def _duration(raw: object, place: Place) -> timedelta:
    try:
        return parse_duration(raw if isinstance(raw, str) else "")
    except ValueError as error:
        refuse(place, str(error))


def _fetch_secrets(table: dict[str, object], options: Mapping[str, object], place: Place) -> None:
    """Replace each `<option>_file` of a secret option by `<option>`."""
    for name in [n for n in table if n.endswith("_file")]:
        option = name.removesuffix("_file")
        if _bare(options.get(option)) is not SecretStr:
            continue
        if option in table:
            refuse((*place, option), f"and {name} are both given; keep one")
        table[option] = _secret_in_file(table.pop(name), (*place, name))


def _secret_in_file(path: object, place: Place) -> str:
    if not isinstance(path, str) or not path:
        refuse(place, "must be the path of a file")
    try:
        secret = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        refuse(place, f"cannot be read: {path} ({error.strerror})")
    except ValueError:  # not UTF-8, or a path that no file can have
        refuse(place, f"is no text file: {path}")
    if not secret:
        refuse(place, f"is empty: {path}")
    return secret


def _meaning(text: str) -> object:
    """A TOML value where `text` is one, else the text."""
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return str(text)
    return document["value"] if document.keys() == {"value"} else str(text)
