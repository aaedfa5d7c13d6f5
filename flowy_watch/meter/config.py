"""What the meter is told: where it listens, whom it forwards to, and its bounds."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from flowy_watch.core.usage import Microcredits
from flowy_watch.errors import SettingsError

EVERY_OTHER = "*"


class Origins(StrEnum):
    """How much of a client's address and user agent the ledger holds."""

    PLAIN = "plain"
    TRUNCATED = "truncated"
    """The network (/24 of IPv4, /48 of IPv6) and the program without its version."""
    HASHED = "hashed"


@dataclass(frozen=True, slots=True)
class Target:
    """The one upstream there is."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    authority: bytes
    """As the Host header says it."""
    path: bytes
    """Before every path that does not begin with it already; without a slash at its end."""

    def has(self, path: bytes) -> bool:
        return path == b"*" or (path.startswith(self.path) and path[len(self.path) :][:1] in (b"", b"/", b"?"))

    def full(self, path: bytes) -> bytes:
        """As it is asked for."""
        return path if not self.path or self.has(path) else self.path + path


def target_of(url: str, ca_file: Path | None = None) -> Target:
    """Raises SettingsError. TLS is always verified, by the system's authorities or those of `ca_file`."""
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.query or parts.fragment:
        raise SettingsError("meter.upstream must be an address like https://apis.tryflowy.ai/genstudio-svc-v2/api/v1")
    tls = None
    if parts.scheme == "https":
        try:
            tls = ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"meter.ca_file cannot be used: {error.strerror or 'not a PEM file'}") from error
    authority = parts.netloc.encode("idna" if not parts.netloc.isascii() else "ascii")
    return Target(host, port or (443 if tls else 80), tls, authority, parts.path.rstrip("/").encode("ascii", "strict"))


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What is known of a key, and how far the meter itself lets it go; None is no limit of the meter's."""

    name: str = ""
    daily_cap: Microcredits | None = None
    daily_runs: int | None = None
    requests_per_minute: int | None = None

    @property
    def has_cap(self) -> bool:
        return self.daily_cap is not None or self.daily_runs is not None


NO_RULES = KeyRules()


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and bytes; all of them bound what a client or an upstream can hold."""

    connections: int = 1000
    head_bytes: int = 64 * 1024
    headers: int = 200
    body_bytes: int = 1024 * 1024 * 1024
    head_seconds: float = 15.0
    """From a request's first byte to the end of its head."""
    idle_seconds: float = 75.0
    """Between two requests of a client."""
    silence_seconds: float = 60.0
    """Without a byte of a body that is due from a client, or taken by it."""
    connect_seconds: float = 10.0
    answer_seconds: float = 300.0
    """From the end of a request to the head of its answer, and between two bytes of the answer."""
    drain_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class MeterConfig:
    target: Target
    ledger: Path
    host: str = "127.0.0.1"
    port: int = 8430
    origins: Origins = Origins.TRUNCATED
    origins_key: bytes = b""
    """With which they are hashed: who does not have it cannot try all addresses."""
    keys: Mapping[str, KeyRules] = field(default_factory=dict)
    """By fingerprint, by the last four characters, or `*` for every other key."""
    prices: Mapping[str, Microcredits] = field(default_factory=dict)
    """By app, or `*` for every other one."""
    limits: Limits = Limits()

    def rules_of(self, fingerprint: str, last_four: str) -> KeyRules:
        keys = self.keys
        return keys.get(fingerprint) or keys.get(last_four) or keys.get(EVERY_OTHER) or NO_RULES
