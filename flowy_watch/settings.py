"""Every option with its default and unit; the only reader of the environment and of the configuration file.

Longer than most: the options, the words about what is wrong with them and the template must agree, so they stand
together. From top to bottom: the options, where values come from, how they are checked, the template.
"""

import difflib
import json
import math
import re
import tomllib
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from datetime import time as clock_time
from datetime import timedelta
from functools import cached_property, lru_cache
from ipaddress import ip_address
from pathlib import Path, PurePath
from typing import Annotated, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from flowy_watch.channels import CHANNELS
from flowy_watch.channels.email import MailAddress
from flowy_watch.core.finding import Severity
from flowy_watch.core.hours import Hours
from flowy_watch.core.pattern import matches
from flowy_watch.core.period import WEEKDAYS
from flowy_watch.core.redact import redact
from flowy_watch.core.route import Route
from flowy_watch.detectors import DETECTORS, KeyRules
from flowy_watch.errors import SettingsError
from flowy_watch.sources import SOURCES

T = TypeVar("T")

DEFAULT_PATH = Path("flowy-watch.toml")
PATH_VARIABLE = "FLOWY_WATCH_CONFIG"
PREFIX = "FLOWY_WATCH__"

_DURATION = re.compile(r"([0-9]{1,9})\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=36_500)  # beyond this it is a mistake, and no date could be reckoned with it
_NAME = re.compile(r"[A-Za-z0-9_-]+")


def parse_duration(text: str) -> timedelta:
    """`90s`, `15m`, `24h`, `30d`, `2w`. Raises ValueError that does not repeat `text`."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ValueError("must be a duration with its unit, such as 90s, 15m, 24h, 30d or 2w")
    # The number is tested first: a timedelta of that many weeks may not exist.
    if int(match[1]) * timedelta(**{_UNITS[match[2]]: 1}).total_seconds() > _LONGEST.total_seconds():
        raise ValueError("must be a duration of less than a hundred years")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


# --- The options -----------------------------------------------------------------------------------------------------


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError("must name a time zone, such as Europe/Madrid") from None
    return text


def _web_address(text: str) -> str:
    try:
        url = urlsplit(text)
        complete = url.scheme in ("http", "https") and bool(url.hostname)
    except ValueError:
        complete = False
    if not complete:
        raise ValueError("must be a whole address, beginning with https:// or http://")
    return text


def _secret_address(url: SecretStr) -> SecretStr:
    _web_address(url.get_secret_value())
    return url


def _listen(text: str) -> str:
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not host.strip("[]") or (":" in host and not bracketed) or not re.fullmatch("[0-9]{1,5}", port):
        raise ValueError("must be an address and a port, such as 127.0.0.1:8420 or [::1]:8420")
    if int(port) > 65535:
        raise ValueError("must have a port of at most 65535")
    return text


def _hours(text: str) -> str:
    if text:
        Hours.parse(text)
    return text


def _quiet_hours(text: str) -> str:
    if text:
        Hours.parse_daily(text)
    return text


def _severity(value: object) -> Severity:
    if isinstance(value, Severity):
        return value
    found = next((s for s in Severity if isinstance(value, str) and s.word == value.lower()), None)
    if found is None:
        raise ValueError(f"must be {_one_of(s.word for s in Severity)}")
    return found


def _clock_time(value: clock_time) -> clock_time:
    if value.tzinfo:
        raise ValueError("must be a time of day without a zone; the zone stands in digest.timezone")
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _if_set(check: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(lambda text: check(text) if text else text)


Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class WorkspaceSettings(_Section):
    """`[workspace]`: what people are shown, and how often for nothing."""

    name: str = ""
    """Empty: the name the source tells, if it tells one."""
    api_keys_url: Annotated[str, _if_set(_web_address)] = ""
    """The page where a person revokes a key; linked from every alert."""
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """In which people read times. Credits are counted by the UTC day whatever this says."""
    false_alarms_per_month: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 4.0
    """How many alerts about odd spend (`spike`, `ramp`) are accepted on ordinary days, over all keys together."""

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class StoreSettings(_Section):
    """`[store]`"""

    url: Annotated[SecretStr, Field(min_length=1)] = SecretStr("sqlite:///flowy-watch.db")
    """`sqlite:///file.db` or `postgresql+psycopg://user:password@host/name`; a secret, for the password in it."""
    retain: Annotated[timedelta, Field(ge=timedelta(days=1))] = timedelta(days=35)
    """How long single snapshots are kept. Daily figures and alerts are kept for good."""


class PollSettings(_Section):
    """`[poll]`"""

    every: Annotated[timedelta, Field(ge=timedelta(seconds=1), le=timedelta(hours=1))] = timedelta(minutes=5)


class HeartbeatSettings(_Section):
    """`[heartbeat]`: a sign of life for a watch on the watcher, such as healthchecks."""

    url: Annotated[SecretStr, AfterValidator(_secret_address)] | None = None
    """Fetched after finished polls; a secret, for whoever knows it can pretend that all is well. None: no pings."""
    every: Annotated[timedelta, Field(ge=timedelta(seconds=1), le=timedelta(days=1))] = timedelta(minutes=5)
    """At most this often; never more often than polls finish."""


class SourceSettings(_Section):
    """`[source]`: where usage is read; the options beside `kind` are those of the kind."""

    kind: str = "api"
    config: BaseModel


class KeySettings(_Section):
    """`[keys."pattern"]`: what is known of the keys whose name or id matches, `*` standing for anything."""

    owner: str = ""
    hours: Annotated[str, AfterValidator(_hours)] = ""
    """When the key is expected to be used, as `Mon-Fri 07:00-20:00 Europe/Madrid`. Empty: at any time."""
    dormant_after: Annotated[timedelta, Field(gt=timedelta(0))] | None = None
    """A key unused for this long is dormant: any use of it is told. Learned from its own rests when not set."""
    sensitivity: Annotated[float, Field(ge=0.001, le=1000, allow_inf_nan=False)] = 1.0
    """How many times the usual share of false alarms is accepted from this key."""


class DetectorSettings(_Section):
    """`[detectors.<name>]`: the options beside `enabled` are those of the detector."""

    enabled: bool = True
    config: object
    """An instance of the detector's own `Config`."""


class ChannelSettings(_Section):
    """`[channels.<name>]`: the options beside `kind` are those of the kind."""

    kind: str
    quiet_hours: Annotated[str, AfterValidator(_quiet_hours)] = ""
    """`22:00-07:00 Europe/Madrid`, or with days in front: what is not critical waits. Empty: never."""
    config: BaseModel


class RouteSettings(_Section):
    """`[[routes]]`: which alerts go to which channels; an empty selector selects everything."""

    severities: tuple[Annotated[Severity, BeforeValidator(_severity)], ...] = ()
    kinds: tuple[str, ...] = ()
    """Names of detectors."""
    keys: tuple[str, ...] = ()
    """Patterns of names or ids."""
    owners: tuple[str, ...] = ()
    """Patterns of what stands as `owner` in `[keys]`; what nobody owns is taken by `*` alone."""
    channels: Annotated[tuple[str, ...], Field(min_length=1)]
    repeat: Annotated[timedelta, Field(ge=timedelta(minutes=1))] | None = None
    """How often an open alert is told again until somebody acknowledges it. None: it is told once."""
    escalate_after: Annotated[timedelta, Field(gt=timedelta(0))] | None = None
    """How long a critical alert may stay unacknowledged before `escalate_to` hears of it, once."""
    escalate_to: tuple[str, ...] = ()

    def as_route(self) -> Route:
        return Route(
            self.channels,
            frozenset(self.severities),
            frozenset(self.kinds),
            self.keys,
            self.owners,
            self.repeat,
            self.escalate_after,
            self.escalate_to,
        )


class EditionSettings(_Section):
    """`[[digest.editions]]`: one owner's keys alone, and their share of the whole."""

    owner: Annotated[str, Field(min_length=1)]
    channels: Annotated[tuple[str, ...], Field(min_length=1)]
    recipients: tuple[MailAddress, ...] = ()
    """Instead of the channel's own, on channels of kind `email`."""


class DigestSettings(_Section):
    """`[digest]`: the finished week in numbers. Without channels none is sent."""

    weekday: Annotated[Weekday, BeforeValidator(_lower)] = "monday"
    time: Annotated[clock_time, AfterValidator(_clock_time)] = clock_time(9)
    timezone: Annotated[str, _if_set(_zone)] = ""
    """Empty: that of the workspace."""
    channels: tuple[str, ...] = ()
    recipients: tuple[MailAddress, ...] = ()
    """Instead of the channel's own, on channels of kind `email`."""
    monthly: bool = True
    """On the first day of a month, at the same time, also the finished month."""
    empty: Literal["line", "none"] = "line"
    """When nothing was spent and nothing happened: one line, or no message."""
    editions: tuple[EditionSettings, ...] = ()

    @property
    def audiences(self) -> tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]:
        """Owner (empty for the whole workspace), channels, and recipients of each edition."""
        whole = ("", self.channels, self.recipients)
        return (whole, *((one.owner, one.channels, one.recipients) for one in self.editions))

    @property
    def calendar(self) -> tuple[int, clock_time]:
        """Weekday, 0 being Monday, and the time of day."""
        return WEEKDAYS.index(self.weekday), self.time


class WebSettings(_Section):
    """`[web]`: the dashboard, the JSON API and `/metrics`."""

    enabled: bool = True
    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:8420"
    url: Annotated[str, _if_set(_web_address)] = ""
    """What people write into their browser, where that is not `listen`: behind a proxy. Decides on secure cookies."""
    token: Annotated[SecretStr, Field(min_length=1)] | None = None
    """Of operators, who may act."""
    viewer_token: Annotated[SecretStr, Field(min_length=1)] | None = None
    """Of those who may only read."""

    @model_validator(mode="after")
    def _guarded(self) -> "WebSettings":
        token, viewer = self.token, self.viewer_token
        if self.enabled and not self.loopback and token is None:
            raise ValueError(
                "must have a token to listen elsewhere than on loopback: set web.token_file, or web.listen to 127.0.0.1"
            )
        if token and viewer and token.get_secret_value() == viewer.get_secret_value():
            raise ValueError("must have two different tokens: web.token may act, web.viewer_token may not")
        return self

    @property
    def loopback(self) -> bool:
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])

    @property
    def public_url(self) -> str:
        """Where people find the dashboard, without a slash at its end."""
        everywhere = self.host in ("0.0.0.0", "::")  # noqa: S104  # compared, not listened on
        return self.url.rstrip("/") or (f"http://127.0.0.1:{self.port}" if everywhere else f"http://{self.listen}")


class LogSettings(_Section):
    """`[log]`: written to standard error."""

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = "info"
    format: Annotated[Literal["auto", "json", "console"], BeforeValidator(_lower)] = "auto"
    """`auto`: for people on a terminal, JSON lines elsewhere."""


class Settings(_Section):
    """The whole configuration, checked. Made by `load`."""

    workspace: WorkspaceSettings
    store: StoreSettings
    poll: PollSettings
    heartbeat: HeartbeatSettings
    source: SourceSettings
    keys: dict[str, KeySettings]
    """By pattern, in the order of the file."""
    detectors: dict[str, DetectorSettings]
    """Every detector there is, by name."""
    channels: dict[str, ChannelSettings]
    routes: tuple[RouteSettings, ...]
    """As configured, or when none is: one that takes every alert to every channel."""
    digest: DigestSettings
    web: WebSettings
    log: LogSettings

    @property
    def digest_zone(self) -> ZoneInfo:
        return ZoneInfo(self.digest.timezone or self.workspace.timezone)

    def rules_of(self, key_id: str, name: str) -> KeyRules:
        """Each option from the first pattern in the file that matches the key and sets that option. Remembered."""
        return self._rules(key_id, name)

    def owner_of(self, key_id: str, name: str) -> str:
        """Empty when nobody is named, and for what is about no key."""
        return self._rules(key_id, name).owner

    @cached_property
    def _rules(self) -> Callable[[str, str], KeyRules]:
        return lru_cache(maxsize=65_536)(self._find_rules)

    def _find_rules(self, key_id: str, name: str) -> KeyRules:
        found: dict[str, object] = {}
        for pattern, rule in self.keys.items():
            if key_id and matches(pattern, name, key_id):
                found = {option: getattr(rule, option) for option in rule.model_fields_set} | found
        rule = KeySettings.model_validate(found)
        hours = Hours.parse(rule.hours) if rule.hours else None
        return KeyRules(rule.owner, hours, rule.dormant_after, rule.sensitivity)

    def secrets(self) -> frozenset[str]:
        """Every configured secret value, for hiding it wherever it turns up."""
        found = {
            s for section in Settings.model_fields if section != "store" for s in _secrets_in(getattr(self, section))
        }
        url = self.store.url.get_secret_value()
        # As SQLAlchemy reads them. An address without a password is worth reading in a log.
        passwords = re.findall(r"(?<=://)[^:/@]*:([^@]*)@", url) + re.findall(r"[?&]password=([^&]*)", url)
        if passwords:
            found |= {url, *passwords, *map(unquote, passwords)}
        return frozenset(found - {""})


def _secrets_in(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets_in(getattr(value, name))
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _secrets_in(part)
    elif isinstance(value, list | tuple | set | frozenset):
        for part in value:
            yield from _secrets_in(part)


# --- Where values come from ------------------------------------------------------------------------------------------


class _FromEnvironment(str):
    """The raw text of a variable: what it means depends on the type of the option it is for."""


_Place = tuple[str | int, ...]
"""The way to an option, such as `("routes", 0, "channels")`."""


def load(path: Path | None, *, environ: Mapping[str, str]) -> Settings:
    """The file at `path`, else at `FLOWY_WATCH_CONFIG`, else `./flowy-watch.toml` if there is one; then `environ`.

    Raises SettingsError: one line that names the option and never a value. Paths in the configuration are relative
    to the working directory.
    """
    explicit = path or (Path(environ[PATH_VARIABLE]) if environ.get(PATH_VARIABLE) else None)
    try:
        tree = _read(explicit or DEFAULT_PATH)
    except FileNotFoundError:
        if explicit:
            raise SettingsError(f"there is no configuration at {explicit}; `flowy-watch init` writes one") from None
        tree = {}
    _overlay(tree, environ)
    return _settings(tree)


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
        # `from None`: the error holds the whole document.
        raise SettingsError(f"{what} is not TOML at {where}; is a quote, a bracket or an = missing there?") from None


def _overlay(tree: dict[str, object], environ: Mapping[str, str]) -> None:
    """Put the variables into `tree`, over what is there. A name that is there is met whatever its case or dashes."""
    seen: dict[_Place, str] = {}
    for variable in sorted(environ):
        if not variable.upper().startswith(PREFIX):
            continue
        parts = variable[len(PREFIX) :].lower().split("__")
        if not all(parts):
            raise SettingsError(f"{variable} names no option; they look like {PREFIX}SECTION__OPTION")
        node, place = tree, ()  # type: tuple[dict[str, object], _Place]
        for part in parts[:-1]:
            name = _met(node, part)
            place = (*place, name)
            below = node.setdefault(name, {})
            if isinstance(below, _FromEnvironment):
                raise SettingsError(f"{seen[place]} and {variable} cannot both be set: one holds the other")
            if not isinstance(below, dict):
                raise SettingsError(f"{_dotted(place)} has no options below it that {variable} could set")
            node = below
        name = _met(node, parts[-1])
        place = (*place, name)
        if place in seen:
            raise SettingsError(f"{seen[place]} and {variable} set the same option")
        twin = name.removesuffix("_file") if name.endswith("_file") else f"{name}_file"
        if (*place[:-1], twin) not in seen:
            node.pop(twin, None)  # the environment wins over the file, in whichever way the file gives a secret
        node[name] = _FromEnvironment(environ[variable])
        seen[place] = variable


def _met(node: Mapping[str, object], part: str) -> str:
    """The name already in `node` that `part` means, or `part` itself for a new one."""
    folded = part.replace("-", "_")
    return next((name for name in node if name.lower().replace("-", "_") == folded), part)


def _meaning(text: str) -> object:
    """A TOML value where `text` is one, else the text."""
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return str(text)
    return document["value"] if document.keys() == {"value"} else str(text)


# --- How values are checked ------------------------------------------------------------------------------------------


def _settings(tree: Mapping[str, object]) -> Settings:
    _refuse_unknown(tree, Settings.model_fields, ())
    channels = {name: _channel(name, raw) for name, raw in _table(tree.get("channels", {}), ("channels",)).items()}
    routes = _made(tuple[RouteSettings, ...], tree.get("routes", []), ("routes",))
    for number, route in enumerate(routes):
        _refuse_others(route.kinds, DETECTORS, ("routes", number, "kinds"), "detectors")
        for option in ("channels", "escalate_to"):
            _refuse_others(getattr(route, option), channels, ("routes", number, option), "configured channels")
        if bool(route.escalate_to) != (route.escalate_after is not None):
            missing, given = ("after", "to") if route.escalate_to else ("to", "after")
            _refuse(("routes", number, f"escalate_{missing}"), f"is missing beside escalate_{given}")
    digest = _made(DigestSettings, tree.get("digest", {}), ("digest",))
    readable = [name for name, channel in channels.items() if channel.kind != "pagerduty"]  # it wakes people up
    _refuse_others(digest.channels, readable, ("digest", "channels"), "channels that people read")
    for number, edition in enumerate(digest.editions):
        place: _Place = ("digest", "editions", number, "channels")
        _refuse_others(edition.channels, readable, place, "channels that people read")
    return Settings(
        workspace=_made(WorkspaceSettings, tree.get("workspace", {}), ("workspace",)),
        store=_made(StoreSettings, tree.get("store", {}), ("store",)),
        poll=_made(PollSettings, tree.get("poll", {}), ("poll",)),
        heartbeat=_made(HeartbeatSettings, tree.get("heartbeat", {}), ("heartbeat",)),
        source=_source(tree.get("source", {})),
        keys=_made(dict[str, KeySettings], tree.get("keys", {}), ("keys",)),
        detectors=_detectors(tree.get("detectors", {})),
        channels=channels,
        routes=routes or ((RouteSettings(channels=tuple(channels)),) if channels else ()),
        digest=digest,
        web=_made(WebSettings, tree.get("web", {}), ("web",)),
        log=_made(LogSettings, tree.get("log", {}), ("log",)),
    )


def _source(raw: object) -> SourceSettings:
    options = {"kind": "api"} | _table(raw, ("source",))
    kind = _kind(options, SOURCES, ("source",))
    return SourceSettings(kind=kind, config=_made(SOURCES[kind].Config, options, ("source",), beside=("kind",)))


def _channel(name: str, raw: object) -> ChannelSettings:
    place: _Place = ("channels", name)
    if not _NAME.fullmatch(name):
        _refuse(place, "must be a name of letters, digits, _ and -")
    options = _table(raw, place)
    kind = _kind(options, CHANNELS, place)
    quiet = options.pop("quiet_hours", "")
    quiet = _made(Annotated[str, AfterValidator(_quiet_hours)], quiet, (*place, "quiet_hours"))  # type: ignore[arg-type]  # a type with a check
    config = _made(CHANNELS[kind].Config, options, place, beside=("kind", "quiet_hours"))
    return ChannelSettings(kind=kind, quiet_hours=quiet, config=config)


def _detectors(raw: object) -> dict[str, DetectorSettings]:
    sections = _table(raw, ("detectors",))
    _refuse_unknown(sections, DETECTORS, ("detectors",))
    found: dict[str, DetectorSettings] = {}
    for name, detector in DETECTORS.items():
        place = ("detectors", name)
        options = _table(sections.get(name, {}), place)
        enabled = _made(bool, options.pop("enabled", True), (*place, "enabled"))
        kind: type[object] = detector.Config  # type: ignore[attr-defined]  # the registry's type is that of calling it
        found[name] = DetectorSettings(enabled=enabled, config=_made(kind, options, place, beside=("enabled",)))
    return found


def _kind(options: dict[str, object], kinds: Iterable[str], place: _Place) -> str:
    """Takes `kind` out of the options."""
    place = (*place, "kind")
    if "kind" not in options:
        _refuse(place, f"is missing; it is {_one_of(kinds)}")
    kind = options.pop("kind")
    if not isinstance(kind, str) or kind not in kinds:
        _refuse(place, f"must be {_one_of(kinds)}")
    return str(kind)


def _made(kind: type[T], raw: object, place: _Place, *, beside: Iterable[str] = ()) -> T:
    """`raw` as a value of `kind`: a model, a dataclass or a plain type. `beside` are options already taken out."""
    fitted = _fitted(kind, raw, place, beside)
    try:
        return TypeAdapter(kind).validate_python(fitted)
    except ValidationError as error:
        # The first is enough: one clear line. `from None`, because a traceback would show the value.
        first = error.errors(include_url=False, include_input=False)[0]
        _refuse((*place, *(part for part in first["loc"] if part != "[key]")), _words(first["type"], first["msg"]))


def _fitted(kind: object, raw: object, place: _Place, beside: Iterable[str] = ()) -> object:
    """`raw` with durations and variables read by the type they are for, secrets fetched, unknown names refused."""
    kind = _bare(kind)
    if isinstance(raw, _FromEnvironment):
        raw = str(raw) if _is_text(kind) else _meaning(raw)
    if isinstance(raw, float) and not math.isfinite(raw):
        _refuse(place, "must be a finite number")
    options = _options_of(kind)
    if kind is timedelta:
        return _duration(raw, place)
    if options is not None:
        table = _table(raw, place)
        _fetch_secrets(table, options, place)
        _refuse_unknown(table, options, place, beside)
        return {name: _fitted(options[name], part, (*place, name)) for name, part in table.items()}
    if get_origin(kind) is dict:
        of = get_args(kind)[1]
        table = _table(raw, place)
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


def _table(raw: object, place: _Place) -> dict[str, object]:
    """A copy."""
    if isinstance(raw, _FromEnvironment):
        raw = _meaning(raw)
    if not isinstance(raw, dict):
        _refuse(place, "must be a table of options")
    return dict(raw)


def _duration(raw: object, place: _Place) -> timedelta:
    try:
        return parse_duration(raw if isinstance(raw, str) else "")
    except ValueError as error:
        _refuse(place, str(error))


def _fetch_secrets(table: dict[str, object], options: Mapping[str, object], place: _Place) -> None:
    """Replace each `<option>_file` of a secret option by `<option>`."""
    for name in [n for n in table if n.endswith("_file")]:
        option = name.removesuffix("_file")
        if _bare(options.get(option)) is not SecretStr:
            continue
        if option in table:
            _refuse((*place, option), f"and {name} are both given; keep one")
        table[option] = _secret_in_file(table.pop(name), (*place, name))


def _secret_in_file(path: object, place: _Place) -> str:
    if not isinstance(path, str) or not path:
        _refuse(place, "must be the path of a file")
    try:
        secret = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        _refuse(place, f"cannot be read: {path} ({error.strerror})")
    except ValueError:  # not UTF-8, or a path that no file can have
        _refuse(place, f"is no text file: {path}")
    if not secret:
        _refuse(place, f"is empty: {path}")
    return secret


def _refuse_unknown(names: Iterable[str], known: Iterable[str], place: _Place, beside: Iterable[str] = ()) -> None:
    known = [*known, *beside]
    for name in names:
        if name not in known:
            _refuse((*place, name), f"is no option; {_suggestion(name, known, place)}")


def _suggestion(name: str, known: list[str], place: _Place) -> str:
    close = difflib.get_close_matches(name.lower(), known, 1)
    if close:
        return f"did you mean {_dotted((*place, close[0]))}?"
    where = _dotted(place) if place else "the configuration"
    return f"{where} has {', '.join(known)}"


def _refuse_others(names: Iterable[str], known: Iterable[str], place: _Place, what: str) -> None:
    known = list(known)
    for number, name in enumerate(names):
        if name not in known:
            _refuse((*place, number), f"must be one of the {what}: {', '.join(known) or 'there are none'}")


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


def _words(kind: str, message: str) -> str:
    """What is wrong, in our words where pydantic speaks to programmers. Its own never hold the value."""
    found = _WORDS.get(kind) or _WORDS.get(kind.partition("_")[0])
    if found:
        return found
    message = message.removeprefix("Value error, ").replace("Input should", "must")
    return message if message.startswith(("must ", "is ", "has ", "names ")) else f"is refused: {message}"


def _refuse(place: _Place, why: str) -> NoReturn:
    hint = ""
    if why == _WORDS["missing"]:
        hint = f"; set it in flowy-watch.toml or as {PREFIX}{'__'.join(str(part).upper() for part in place)}"
    raise SettingsError(redact(f"{_dotted(place)} {why}{hint}")) from None


def _dotted(place: _Place) -> str:
    """As TOML would write it: `keys."prod-*".owner`; `routes[0]` for the first of a list."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _NAME.fullmatch(part) else json.dumps(part, ensure_ascii=False))
    return text


def _one_of(names: Iterable[str]) -> str:
    *most, last = (f'"{name}"' for name in names)
    return f"{', '.join(most)} or {last}" if most else last


# --- The template ----------------------------------------------------------------------------------------------------

TEMPLATE = """\
# The configuration of flowy-watch. Lines with a # in front are examples; every other line shows its default.
# Durations have a unit: 90s, 15m, 24h, 30d, 2w. Any option can come from the environment instead, where it wins:
#   FLOWY_WATCH__POLL__EVERY=1m  FLOWY_WATCH__DETECTORS__CAP__LEVELS=[80,95]
# Any secret can come from a file: write token_file = "/path" in place of token = "…".

[workspace]
name = ""                            # shown in messages; empty: what the source says
# api_keys_url = "https://…"         # the page where a person revokes a key; linked from every alert
timezone = "UTC"                     # in which people read times, e.g. "Europe/Madrid"
false_alarms_per_month = 4.0         # accepted from spike and ramp on ordinary days, all keys together

[store]
url = "sqlite:///flowy-watch.db"     # or postgresql+psycopg://user:password@host/name, also as url_file
retain = "35d"                       # single snapshots; daily figures and alerts are kept

[poll]
every = "5m"                         # 10s to 1h

# A watch on the watcher: an address to fetch after finished polls, such as a check at healthchecks.io. When it is
# not fetched for `every` and one poll more, nothing is watched; /fail is added to it when a poll breaks down here.
[heartbeat]
# url_file = "/run/secrets/heartbeat_url"
every = "5m"                         # at most this often

[source]
kind = "api"
base_url = "https://apis.tryflowy.ai/genstudio-svc-v2/api/v1"
# token_file = "/run/secrets/source_token"      # or FLOWY_WATCH__SOURCE__TOKEN; an owner's or editor's credential
timeout = "10s"                      # one request
deadline = "60s"                     # a whole poll with its retries
# Where the figures stand, when your workspace's answers differ from what is assumed (JMESPath; "" = not offered):
# keys = { path = "/keys", items = "data" }
# workspace = { path = "/workspace", balance = "data.creditBalance" }
# fields = { id = "id", spent_today = "spentToday", last_used_at = "lastUsedAt", daily_cap = "dailySpendCap" }

# What is known of keys, by name or id; for each option the first pattern that matches and sets it counts.
# [keys."prod-*"]
# owner = "media-team"
# hours = "Mon-Fri 07:00-20:00 Europe/Madrid"   # when use is expected
# dormant_after = "30d"                         # unused for so long, any use is told; learned when not set
# sensitivity = 0.1                             # a tenth of its share of false alarms

# Each detector can be turned off with enabled = false: cap, spike, ramp, last_used, balance,
# unattributed, safeguard, blind.
[detectors.cap]
levels = [80, 95, 100]               # per cent of the daily cap

[detectors.spike]
least_credits = 10.0                 # an excess below this is never told

[detectors.ramp]
least_credits = 100.0                # the same, over three days

[detectors.last_used]
in_flight = "15m"                    # runs started before a revoke may be charged for this long

[detectors.balance]
floor_credits = 0.0                  # warn below this; 0: by share and runway alone
runway = "3d"                        # warn when the balance lasts no longer

[detectors.unattributed]
least_credits = 500.0                # less than this in 24 hours is never told

[detectors.safeguard]
new_keys = true                      # tell of keys that appear

[detectors.blind]
after_polls = 3                      # failed polls in a row before it is told

# Where people are told. Every kind has quiet_hours too: what is not critical waits for their end.
# [channels.ops]
# kind = "slack"
# token_file = "/run/secrets/slack_token"       # a bot token, xoxb-…
# channel = "C0123456789"
# quiet_hours = "22:00-07:00 Europe/Madrid"     # or with days: "Sat-Sun 00:00-24:00 Europe/Madrid"
# app_token_file = "/run/secrets/slack_app_token"    # buttons: an App-Level Token, xapp-…, with connections:write
# allowed_users = ["U0123456789"]               # the member ids of those who may press them

# [channels.hook]
# kind = "slack_webhook"
# url_file = "/run/secrets/slack_webhook"

# [channels.mail]
# kind = "email"
# host = "smtp.example.com"
# security = "starttls"                         # or "tls", "none"
# username = "flowy-watch"
# password_file = "/run/secrets/smtp_password"
# from = "Flowy Watch <flowy-watch@example.com>"
# to = ["oncall@example.com"]

# [channels.pager]
# kind = "pagerduty"
# routing_key_file = "/run/secrets/pagerduty_key"    # the Integration Key of an Events API V2 integration

# [channels.program]
# kind = "webhook"                              # the facts as JSON, to a program of your own
# url_file = "/run/secrets/webhook_url"
# token_file = "/run/secrets/webhook_token"     # Authorization: Bearer …
# secret_file = "/run/secrets/webhook_secret"   # signs each post

# [channels.teams]
# kind = "apprise"                              # Teams, Discord, Telegram, ntfy, …: pip install 'flowy-watch[apprise]'
# url_file = "/run/secrets/apprise_url"         # as https://appriseit.com/services/ says

# Who hears what. Without a route every alert goes to every channel; an empty or missing selector takes everything.
# [[routes]]
# severities = ["critical"]                     # info, warning, critical
# kinds = []                                    # names of detectors
# keys = []                                     # patterns
# owners = []                                   # patterns of what stands as owner in [keys]
# channels = ["ops", "mail"]
# repeat = "4h"                                 # told again so often until acknowledged; unset: told once
# escalate_after = "15m"                        # critical and not acknowledged for so long …
# escalate_to = ["pager"]                       # … these hear of it too, once

[digest]
weekday = "monday"
time = "09:00"
timezone = ""                        # empty: that of the workspace
channels = []                        # none: no digest is sent
recipients = []                      # mail addresses, instead of those of the channel
monthly = true                       # on the first of a month also the finished month
empty = "line"                       # nothing spent, nothing happened: one line; "none": no message

# One owner's keys alone, and their share of the whole:
# [[digest.editions]]
# owner = "media-team"
# channels = ["mail"]
# recipients = ["media@example.com"]

[web]
enabled = true                       # the dashboard; `flowy-watch open` prints a link to sign in
listen = "127.0.0.1:8420"            # elsewhere than on loopback it needs a token
url = ""                             # the address people use, where a proxy stands in front
# token_file = "/run/secrets/web_token"         # may act; also for the JSON API and /metrics
# viewer_token_file = "/run/secrets/web_viewer" # may only read

[log]
level = "info"                       # debug, info, warning, error
format = "auto"                      # json, console; auto: console on a terminal
"""
"""What `flowy-watch init` writes. Only `source.token` has to be added."""
