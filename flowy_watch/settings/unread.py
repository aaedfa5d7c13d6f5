"""The configuration for those who only look: secrets that they cannot read, and need not."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from flowy_watch.channels import CHANNELS
from flowy_watch.settings.refusal import Place
from flowy_watch.sources import SOURCES

SECRETS = frozenset({"token", "app_token", "url", "password", "routing_key", "secret", "viewer_token"})
"""The options of a source, a channel, the heartbeat and the pages that hold one."""

_REGISTRIES: tuple[tuple[str, Mapping[str, Any], str], ...] = (
    ("source", SOURCES, "api"),
    ("sources", SOURCES, ""),
    ("channels", CHANNELS, ""),
)
_SECTIONS = ("source", "sources", "channels", "heartbeat", "web")


def without_unread(tree: Mapping[str, object]) -> dict[str, object]:
    """`tree` with a word in place of each secret whose file cannot be read, or that is nowhere.

    The service may have its secrets from elsewhere: as credentials, in its environment. `store.url` is used by those
    who look, and stays as it is.
    """
    made = {name: _readable(part, (name,)) if name in _SECTIONS else part for name, part in tree.items()}
    made.setdefault("source", {})
    for place, table, config in _plugs(made):
        for name, field in config.model_fields.items():
            if field.is_required() and field.annotation is SecretStr and not {name, f"{name}_file"} & table.keys():
                table[name] = _word((*place, name))
    web = made.get("web")
    if isinstance(web, dict) and not {"token", "token_file"} & web.keys():
        web["token"] = _word(("web", "token"))  # without one it may not listen elsewhere than on loopback
    return made


def _readable(part: object, place: Place) -> object:
    if not isinstance(part, dict):
        return part
    table: dict[str, object] = {}
    for name, value in part.items():
        option = name.removesuffix("_file")
        if option in SECRETS and option != name and isinstance(value, str) and not _is_readable(value):
            table[option] = _word((*place, option))
        else:
            table[name] = _readable(value, (*place, name))
    return table


def _is_readable(path: str) -> bool:
    try:
        return bool(Path(path).read_bytes().strip())
    except (OSError, ValueError):
        return False


def _plugs(tree: Mapping[str, Any]) -> Iterator[tuple[Place, dict[str, object], Any]]:
    """Each source and channel: where it stands, its options, and the class of its configuration."""
    for section, registry, kind in _REGISTRIES:
        tables = tree.get(section)
        if section == "source":
            tables = {"": tables}
        for name, table in tables.items() if isinstance(tables, dict) else ():
            if isinstance(table, dict) and (plug := registry.get(str(table.get("kind", kind)))):
                yield tuple(part for part in (section, name) if part), table, plug.Config


def _word(place: Place) -> str:
    """Of its own, since some secrets must differ, and an address, since some must be one."""
    return f"https://unread.invalid/{'/'.join(str(part) for part in place)}"
