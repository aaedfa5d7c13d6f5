"""Where a request comes from, as much of it as the ledger may hold."""

import hashlib
import hmac
from ipaddress import ip_address, ip_network

from flowy_watch.core.usage import clean_name
from flowy_watch.meter.config import Origins

_LONGEST = 100
_CACHED = 1000


class OriginLabels:
    """Addresses and user agents made fit for the ledger: plain, truncated, or hashed with a key of the owner's."""

    def __init__(self, origins: Origins, key: bytes = b"") -> None:
        self._origins, self._key = origins, key
        self._agents: dict[bytes, str] = {}

    def address(self, address: str) -> str:
        try:
            ip = ip_address(address.partition("%")[0])
        except ValueError:
            return ""  # a local socket has none
        ip = getattr(ip, "ipv4_mapped", None) or ip
        if self._origins is Origins.HASHED:
            return self._hashed(str(ip))
        if self._origins is Origins.TRUNCATED and not ip.is_loopback:
            return str(ip_network((ip, 24 if ip.version == 4 else 48), strict=False))
        return str(ip)

    def agent(self, raw: bytes) -> str:
        raw = raw[: 2 * _LONGEST]
        label = self._agents.get(raw)
        if label is None:
            label = self._agent(raw)
            if len(self._agents) < _CACHED:
                self._agents[raw] = label
        return label

    def _agent(self, raw: bytes) -> str:
        plain = clean_name(raw.decode("latin-1"))[:_LONGEST]
        if not plain or self._origins is Origins.PLAIN:
            return plain
        if self._origins is Origins.HASHED:
            return self._hashed(plain)
        return plain.split()[0].partition("/")[0]  # without its version: an update is no new program

    def _hashed(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:12]
