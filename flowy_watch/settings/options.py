"""Every option with its default and unit. Nothing here reads a file or the environment.

Longer than most: one class per section, and one place where each option is declared.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import time as clock_time
from datetime import timedelta
from functools import cached_property, lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from flowy_watch.channels.email import MailAddress
from flowy_watch.core.finding import Severity
from flowy_watch.core.hours import Hours
from flowy_watch.core.pattern import matches
from flowy_watch.core.period import WEEKDAYS
from flowy_watch.core.route import Route
from flowy_watch.core.usage import Match
from flowy_watch.detectors import KeyRules
from flowy_watch.settings import checks
from flowy_watch.sources.file import ColumnNames
from flowy_watch.sources.meter import MeterOptions

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class WorkspaceSettings(_Section):
    """`[workspace]`: what people are shown, and how often for nothing."""

    name: str = ""
    """Empty: the name the source tells, if it tells one."""
    api_keys_url: Annotated[str, checks.if_set(checks.web_address)] = ""
    """The page where a person revokes a key; linked from every alert."""
    timezone: Annotated[str, AfterValidator(checks.zone)] = "UTC"
    """In which people read times. Credits are counted by the UTC day whatever this says."""
    trust: tuple[str, ...] = ()
    """Names of sources, the most trusted first, where there are several. Others follow: api, file, meter, probe."""
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

    url: Annotated[SecretStr, AfterValidator(checks.secret_address)] | None = None
    """Fetched after finished polls, with `/start` behind it when they begin and `/fail` when they break down; a secret,
    for whoever knows it can pretend that all is well. None: no pings."""
    every: Annotated[timedelta, Field(ge=timedelta(seconds=1), le=timedelta(days=1))] = timedelta(minutes=5)
    """At most this often; never more often than polls finish."""


_TRUST = ("api", "file", "meter", "probe")


class SourceSettings(_Section):
    """`[source]`: where usage is read; the options beside `kind` are those of the kind."""

    kind: str = "api"
    match: Match = Match.LAST_FOUR
    """Of `[sources.<name>]`: by what its keys are found to be keys of a more trusted source: `last_four` (where it is
    one key's alone), `name`, or `key_id` alone."""
    config: BaseModel


class ImportSettings(_Section):
    """`[import]`: how files of snapshots are read."""

    columns: ColumnNames = ColumnNames()


class KeySettings(_Section):
    """`[keys."pattern"]`: what is known of the keys whose name or id matches, `*` standing for anything."""

    owner: str = ""
    hours: Annotated[str, AfterValidator(checks.hours)] = ""
    """When the key is expected to be used, as `Mon-Fri 07:00-20:00 Europe/Madrid`. Empty: at any time."""
    dormant_after: Annotated[timedelta, Field(gt=timedelta(0))] | None = None
    """A key unused for this long is dormant: any use of it is told. Learned from its own rests when not set."""
    sensitivity: Annotated[float, Field(ge=0.001, le=1000, allow_inf_nan=False)] = 1.0
    """How many times the usual share of false alarms is accepted from this key."""
    same_as: tuple[str, ...] = ()
    """What other sources call it, where they cannot be matched: an id (the meter's fingerprint), last four, or name."""


class DetectorSettings(_Section):
    """`[detectors.<name>]`: the options beside `enabled` are those of the detector."""

    enabled: bool = True
    config: object
    """An instance of the detector's own `Config`."""


class ChannelSettings(_Section):
    """`[channels.<name>]`: the options beside `kind` are those of the kind."""

    kind: str
    quiet_hours: Annotated[str, AfterValidator(checks.quiet_hours)] = ""
    """`22:00-07:00 Europe/Madrid`, or with days in front: what is not critical waits. Empty: never."""
    config: BaseModel


class RouteSettings(_Section):
    """`[[routes]]`: which alerts go to which channels; an empty selector selects everything."""

    severities: tuple[Annotated[Severity, BeforeValidator(checks.severity)], ...] = ()
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

    weekday: Annotated[Weekday, BeforeValidator(checks.lower)] = "monday"
    time: Annotated[clock_time, AfterValidator(checks.time_of_day)] = clock_time(9)
    timezone: Annotated[str, checks.if_set(checks.zone)] = ""
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
    listen: Annotated[str, AfterValidator(checks.listen_address)] = "127.0.0.1:8420"
    url: Annotated[str, checks.if_set(checks.web_address)] = ""
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


_Credits = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]


class MeterKeySettings(_Section):
    """`[meter.keys."…"]`: a key by its fingerprint or its last four characters, or `*` for every other one.

    Each limit is the meter's own, and is not set unless it stands here.
    """

    name: str = ""
    daily_cap: _Credits | None = None
    """Credits by price and UTC day; what would go beyond is answered 402."""
    daily_runs: Annotated[int, Field(ge=0)] | None = None
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None


class MeterSettings(_Section):
    """`[meter]`: the metering proxy, which `flowy-watch meter` runs in a process of its own."""

    listen: Annotated[str, AfterValidator(checks.listen_address)] = "127.0.0.1:8430"
    upstream: Annotated[str, AfterValidator(checks.web_address)] = "https://apis.tryflowy.ai/genstudio-svc-v2/api/v1"
    """The one Flowy that everything is forwarded to. Its path comes before every path that has it not already."""
    ca_file: Path | None = None
    """Authorities that may vouch for the upstream, in place of the system's."""
    ledger: Path = Path("flowy-meter.db")
    origins: Annotated[Literal["plain", "truncated", "hashed"], BeforeValidator(checks.lower)] = "truncated"
    """What the ledger holds of client addresses and user agents."""
    origins_key: Annotated[SecretStr, Field(min_length=16)] | None = None
    """With which they are hashed."""
    prices: dict[str, Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]] = {}
    """Credits of a run by app id; `*` is every other app."""
    keys: dict[Annotated[str, Field(pattern=r"^([0-9a-f]{16}|.{4}|\*)$")], MeterKeySettings] = {}
    max_connections: Annotated[int, Field(ge=1, le=50_000)] = 1000
    max_body: Annotated[int, Field(ge=1, json_schema_extra={"unit": "megabytes"})] = 1024
    """Megabytes of a request's body."""
    answer_timeout: Annotated[timedelta, Field(ge=timedelta(seconds=1))] = timedelta(minutes=5)
    """How long the upstream may be silent before the meter answers 504."""
    drain: Annotated[timedelta, Field(ge=timedelta(0))] = timedelta(seconds=30)
    """How long what is under way may go on after SIGTERM."""

    @model_validator(mode="after")
    def _keyed(self) -> "MeterSettings":
        if self.origins == "hashed" and self.origins_key is None:
            raise ValueError("must have a key to hash origins with: set meter.origins_key_file")
        return self

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


class LogSettings(_Section):
    """`[log]`: written to standard error."""

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(checks.lower)] = "info"
    format: Annotated[Literal["auto", "json", "console"], BeforeValidator(checks.lower)] = "auto"
    """`auto`: for people on a terminal, JSON lines elsewhere."""


class Settings(_Section):
    """The whole configuration, checked. Made by `load`."""

    workspace: WorkspaceSettings
    store: StoreSettings
    poll: PollSettings
    heartbeat: HeartbeatSettings
    source: SourceSettings
    sources: dict[str, SourceSettings]
    """More of them, by name."""
    import_: Annotated[ImportSettings, Field(alias="import")]
    keys: dict[str, KeySettings]
    """By pattern, in the order of the file."""
    detectors: dict[str, DetectorSettings]
    """Every detector there is, by name."""
    channels: dict[str, ChannelSettings]
    routes: tuple[RouteSettings, ...]
    """As configured, or when none is: one that takes every alert to every channel."""
    digest: DigestSettings
    web: WebSettings
    meter: MeterSettings
    log: LogSettings

    @property
    def digest_zone(self) -> ZoneInfo:
        return ZoneInfo(self.digest.timezone or self.workspace.timezone)

    @property
    def ledger(self) -> Path:
        """The meter's, in which keys are blocked, whether it is a source too or not; it need not be there."""
        configs = (source.config for _, source in self.by_trust)
        return next((config.ledger for config in configs if isinstance(config, MeterOptions)), self.meter.ledger)

    @property
    def by_trust(self) -> list[tuple[str, SourceSettings]]:
        """All sources by name, the most trusted first: as `workspace.trust` says, then by how exact their kind is."""
        every = {self.source.kind: self.source, **self.sources}
        named = [name for name in self.workspace.trust if name in every]
        others = sorted((name for name in every if name not in named), key=lambda name: _TRUST.index(every[name].kind))
        return [(name, every[name]) for name in (*named, *others)]

    @cached_property
    def rules_of(self) -> Callable[[str, str], KeyRules]:
        """By key id and name: each option from the first pattern in the file that matches the key and sets that option.

        The remembering function itself, which a poll calls for every key that moved.
        """
        return lru_cache(maxsize=65_536)(self._find_rules)

    @property
    def rests_until(self) -> timedelta:
        """For `View.rests_until`: nothing where hours are declared, since then every use has to be looked at."""
        if any(rule.hours for rule in self.keys.values()):
            return timedelta(0)
        return min((rule.dormant_after for rule in self.keys.values() if rule.dormant_after), default=timedelta.max)

    def owner_of(self, key_id: str, name: str) -> str:
        """Empty when nobody is named, and for what is about no key."""
        return self.rules_of(key_id, name).owner

    def _find_rules(self, key_id: str, name: str) -> KeyRules:
        found: dict[str, object] = {}
        for pattern, rule in self.keys.items():
            if key_id and matches(pattern, name, key_id):
                found = {option: getattr(rule, option) for option in rule.model_fields_set} | found
        rule = KeySettings.model_validate(found)
        hours = Hours.parse(rule.hours) if rule.hours else None
        return KeyRules(rule.owner, hours, rule.dormant_after, rule.sensitivity, rule.same_as)

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
