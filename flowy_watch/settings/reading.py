"""Where values come from: the configuration file, then the environment. The only reader of both."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from flowy_watch.channels import CHANNELS
from flowy_watch.core.usage import Match
from flowy_watch.detectors import DETECTORS
from flowy_watch.errors import NoSettings, SettingsError
from flowy_watch.settings import checks
from flowy_watch.settings.fit import FromEnvironment, made, table_of
from flowy_watch.settings.options import (
    ChannelSettings,
    DetectorSettings,
    DigestSettings,
    HeartbeatSettings,
    ImportSettings,
    KeySettings,
    LogSettings,
    MeterSettings,
    PollSettings,
    RouteSettings,
    Settings,
    SourceSettings,
    StoreSettings,
    WebSettings,
    WorkspaceSettings,
)
from flowy_watch.settings.refusal import NAME, PREFIX, Place, dotted, one_of, refuse, refuse_others, refuse_unknown
from flowy_watch.settings.unread import without_unread
from flowy_watch.sources import SOURCES

DEFAULT_PATH = Path("flowy-watch.toml")
PATH_VARIABLE = "FLOWY_WATCH_CONFIG"


def load(path: Path | None, *, environ: Mapping[str, str]) -> Settings:
    """The file at `path`, else at `FLOWY_WATCH_CONFIG`, else `./flowy-watch.toml` if there is one; then `environ`.

    Raises SettingsError: one line that names the option and never a value; NoSettings where nothing is set. Paths in
    the configuration are relative to the working directory.
    """
    return _settings(_tree(path, environ))


def load_to_look(path: Path | None, *, environ: Mapping[str, str]) -> Settings:
    """As `load`, for whoever asks no source and tells no channel: their secrets need not be readable."""
    return _settings(without_unread(_tree(path, environ)))


def load_meter(path: Path | None, *, environ: Mapping[str, str]) -> tuple[MeterSettings, LogSettings]:
    """As `load`, of what the meter's process needs: it has none of the daemon's secrets, and need not."""
    tree = _tree(path, environ)
    refuse_unknown(tree, Settings.model_fields, ())
    meter = made(MeterSettings, tree.get("meter", {}), ("meter",))
    return meter, made(LogSettings, tree.get("log", {}), ("log",))


def _tree(path: Path | None, environ: Mapping[str, str]) -> dict[str, object]:
    explicit = path or (Path(environ[PATH_VARIABLE]) if environ.get(PATH_VARIABLE) else None)
    try:
        tree = _read(explicit or DEFAULT_PATH)
    except FileNotFoundError:
        if explicit:
            raise SettingsError(f"there is no configuration at {explicit}; `flowy-watch init` writes one") from None
        tree = {}
        if not any(variable.upper().startswith(PREFIX) for variable in environ):
            raise NoSettings(
                f"there is no {DEFAULT_PATH} in this folder; name one with --config FILE or {PATH_VARIABLE}, "
                "or write one: flowy-watch init"
            ) from None
    _overlay(tree, environ)
    return tree


def parse(text: str, *, environ: Mapping[str, str]) -> Settings:
    """As `load`, of a configuration that is not in a file yet."""
    tree = _toml(text, "the configuration")
    _overlay(tree, environ)
    return _settings(tree)


def _read(path: Path) -> dict[str, object]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SettingsError(f"cannot read the configuration {path} ({error.strerror})") from error
    except UnicodeDecodeError:
        raise SettingsError(f"the configuration {path} is not UTF-8 text") from None
    return _toml(text, str(path))


def _toml(text: str, what: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # The words of the parser may quote the text, and the text may hold a secret: only the line is told.
        line = re.search(r"at line (\d+)", str(error))
        where = f"line {line[1]}" if line else "its end"
        twice = re.match(r"Cannot (declare|overwrite|mutate)", str(error))
        why = "this section or option stands above already" if twice else "is a quote, a bracket or an = missing there?"
        # `from None`: the error holds the whole document.
        raise SettingsError(f"{what} is not TOML at {where}; {why}") from None


def _overlay(tree: dict[str, object], environ: Mapping[str, str]) -> None:
    """Put the variables into `tree`, over what is there. A name that is there is met whatever its case or dashes."""
    seen: dict[Place, str] = {}
    for variable in sorted(environ):
        if not variable.upper().startswith(PREFIX):
            _refuse_near_miss(variable)
            continue
        parts = variable[len(PREFIX) :].lower().split("__")
        if not all(parts):
            raise SettingsError(f"{variable} names no option; they look like {PREFIX}SECTION__OPTION")
        node, place = tree, ()  # type: tuple[dict[str, object], Place]
        for part in parts[:-1]:
            name = _met(node, part)
            place = (*place, name)
            below = node.setdefault(name, {})
            if isinstance(below, FromEnvironment):
                raise SettingsError(f"{seen[place]} and {variable} cannot both be set: one holds the other")
            if not isinstance(below, dict):
                raise SettingsError(f"{dotted(place)} has no options below it that {variable} could set")
            node = below
        name = _met(node, parts[-1])
        place = (*place, name)
        if place in seen:
            raise SettingsError(f"{seen[place]} and {variable} set the same option")
        twin = name.removesuffix("_file") if name.endswith("_file") else f"{name}_file"
        if (*place[:-1], twin) not in seen:
            node.pop(twin, None)  # the environment wins over the file, in whichever way the file gives a secret
        node[name] = FromEnvironment(environ[variable])
        seen[place] = variable


def _refuse_near_miss(variable: str) -> None:
    """`FLOWY_WATCH_POLL_EVERY` would set nothing. Others are not ours: Kubernetes makes some for a service's name."""
    start, (section, _, option) = PREFIX[:-1], variable.lower()[len(PREFIX) - 1 :].partition("_")
    if variable.upper().startswith(start) and option.removesuffix("_file") in _options_of(section):
        meant = f"{PREFIX}{section}__{option}".upper()
        raise SettingsError(f"{variable} sets no option; did you mean {meant}, with two underscores?")


def _options_of(section: str) -> set[str]:
    """The options that stand right in a section; none where it holds only further sections."""
    if section == "source":
        return {"kind"}.union(*(source.Config.model_fields for source in SOURCES.values()))
    field = Settings.model_fields.get(section)
    return set(getattr(field and field.annotation, "model_fields", ()))


def _met(node: Mapping[str, object], part: str) -> str:
    """The name already in `node` that `part` means, or `part` itself for a new one."""
    folded = part.replace("-", "_")
    return next((name for name in node if name.lower().replace("-", "_") == folded), part)


_PLAIN: Mapping[str, Any] = {
    "store": StoreSettings,
    "poll": PollSettings,
    "heartbeat": HeartbeatSettings,
    "import": ImportSettings,
    "keys": dict[str, KeySettings],
    "web": WebSettings,
    "log": LogSettings,
}
"""The sections that are only themselves."""


def _settings(tree: Mapping[str, object]) -> Settings:
    refuse_unknown(tree, (field.alias or name for name, field in Settings.model_fields.items()), ())
    # First, so that a misspelt option is told before one that is missing: only sources and channels must have some.
    plain = {name: made(kind, tree.get(name, {}), (name,)) for name, kind in _PLAIN.items()}
    workspace = made(WorkspaceSettings, tree.get("workspace", {}), ("workspace",))
    detectors = _detectors(tree.get("detectors", {}))
    meter = made(MeterSettings, tree.get("meter", {}), ("meter",))
    channels = {name: _channel(name, raw) for name, raw in table_of(tree.get("channels", {}), ("channels",)).items()}
    routes = made(tuple[RouteSettings, ...], tree.get("routes", []), ("routes",))
    for number, route in enumerate(routes):
        refuse_others(route.kinds, DETECTORS, ("routes", number, "kinds"), "detectors")
        for option in ("channels", "escalate_to"):
            refuse_others(getattr(route, option), channels, ("routes", number, option), "configured channels")
        if bool(route.escalate_to) != (route.escalate_after is not None):
            missing, given = ("after", "to") if route.escalate_to else ("to", "after")
            refuse(("routes", number, f"escalate_{missing}"), f"is missing beside escalate_{given}")
    digest = made(DigestSettings, tree.get("digest", {}), ("digest",))
    readable = [name for name, channel in channels.items() if channel.kind != "pagerduty"]  # it wakes people up
    refuse_others(digest.channels, readable, ("digest", "channels"), "channels that people read")
    for number, edition in enumerate(digest.editions):
        place: Place = ("digest", "editions", number, "channels")
        refuse_others(edition.channels, readable, place, "channels that people read")
    source = _source(tree.get("source", {}), meter)
    sources = {
        name: _further_source(name, raw, source.kind, meter)
        for name, raw in table_of(tree.get("sources", {}), ("sources",)).items()
    }
    metered = [name for name, one in sources.items() if one.kind == "meter"]
    if (source.kind == "meter" and metered) or len(metered) > 1:
        why = "what a key does at both cannot be added up, and a block reaches one; point every server at one meter"
        refuse(("sources", metered[-1], "kind"), f"is a second meter: {why}")
    refuse_others(workspace.trust, [source.kind, *sources], ("workspace", "trust"), "configured sources")
    return Settings(
        workspace=workspace,
        source=source,
        sources=sources,
        detectors=detectors,
        channels=channels,
        routes=routes or ((RouteSettings(channels=tuple(channels)),) if channels else ()),
        digest=digest,
        meter=meter,
        **plain,
    )


def _source(raw: object, meter: MeterSettings) -> SourceSettings:
    return _source_at(("source",), {"kind": "api"} | table_of(raw, ("source",)), meter)


def _further_source(name: str, raw: object, first: str, meter: MeterSettings) -> SourceSettings:
    place: Place = ("sources", name)
    if not NAME.fullmatch(name):
        refuse(place, "must be a name of letters, digits, _ and -")
    if name == first:
        refuse(place, f"must be called otherwise: [source] is known by its kind, {first}")
    options = table_of(raw, place)
    match = made(Match, options.pop("match", Match.LAST_FOUR), (*place, "match"))
    made_of = _source_at(place, options, meter, beside=("match",))
    return SourceSettings(kind=made_of.kind, match=match, config=made_of.config)


def _source_at(
    place: Place, options: dict[str, object], meter: MeterSettings, *, beside: Iterable[str] = ()
) -> SourceSettings:
    kind = kind_of(options, SOURCES, place)
    if kind == "meter":
        options = {"ledger": str(meter.ledger)} | options
    return SourceSettings(kind=kind, config=made(SOURCES[kind].Config, options, place, beside=("kind", *beside)))


def _channel(name: str, raw: object) -> ChannelSettings:
    place: Place = ("channels", name)
    if not NAME.fullmatch(name):
        refuse(place, "must be a name of letters, digits, _ and -")
    options = table_of(raw, place)
    kind = kind_of(options, CHANNELS, place)
    quiet = options.pop("quiet_hours", "")
    quiet = made(Annotated[str, AfterValidator(checks.quiet_hours)], quiet, (*place, "quiet_hours"))  # type: ignore[arg-type]  # a type with a check
    config = made(CHANNELS[kind].Config, options, place, beside=("kind", "quiet_hours"))
    return ChannelSettings(kind=kind, quiet_hours=quiet, config=config)


def _detectors(raw: object) -> dict[str, DetectorSettings]:
    sections = table_of(raw, ("detectors",))
    refuse_unknown(sections, DETECTORS, ("detectors",))
    found: dict[str, DetectorSettings] = {}
    for name, detector in DETECTORS.items():
        place = ("detectors", name)
        options = table_of(sections.get(name, {}), place)
        enabled = made(bool, options.pop("enabled", True), (*place, "enabled"))
        kind: type[object] = detector.Config  # type: ignore[attr-defined]  # the registry's type is that of calling it
        found[name] = DetectorSettings(enabled=enabled, config=made(kind, options, place, beside=("enabled",)))
    return found


def kind_of(options: dict[str, object], kinds: Iterable[str], place: Place) -> str:
    """Takes `kind` out of the options."""
    place = (*place, "kind")
    if "kind" not in options:
        refuse(place, f"is missing; it is {one_of(kinds)}")
    kind = options.pop("kind")
    if not isinstance(kind, str) or kind not in kinds:
        refuse(place, f"must be {one_of(kinds)}")
    return str(kind)
