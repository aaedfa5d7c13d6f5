"""Posts over HTTP, for the kinds of channels that are an address: what arrived, what may have, and what did not."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import httpx

from flowy_watch.channels.patience import Patience
from flowy_watch.errors import Doubtful, Refused, TryLater
from flowy_watch.log import hide_addresses
from flowy_watch.trust import trusted

_MOST_READ = 512  # bytes of an answer; no kind needs more


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str
    """How it begins."""


class Poster:
    """Posts for one channel, each time over a connection of its own, and follows no redirect."""

    def __init__(self, channel: str, *, host: str, option: str, timeout: timedelta) -> None:
        """`host` is what people call the other side, `option` the channel's option that holds its address."""
        self._channel, self._host, self._option = channel, host, option
        self._seconds = timeout.total_seconds()
        # A connection that had gone stale would make a doubt of nothing.
        # What is packed could unpack to anything.
        self._client = httpx.Client(
            headers={"Accept-Encoding": "identity"},
            timeout=self._seconds,
            verify=trusted(),
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        hide_addresses()

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer, whatever its status. Raises as `Channel.send` does; takes no longer than the timeout in all."""
        host, channel = self._host, self._channel
        try:
            with Patience(self._seconds) as patience:
                more = {"trace": patience.watch}
                headers = {"Content-Type": "application/json", "User-Agent": "flowy-watch", **headers}
                with self._client.stream("POST", url, content=body, headers=headers, extensions=more) as response:
                    return Answer(response.status_code, response.headers, _beginning(response))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            if _is_certificate(error):
                raise Refused(
                    f'the certificate of {host} could not be verified for channel "{channel}"; '
                    f"fix channels.{channel}.{self._option} or the machine's certificates"
                ) from error
            raise TryLater(f'{host} could not be reached for channel "{channel}"') from error
        except (httpx.WriteError, httpx.WriteTimeout) as error:
            raise TryLater(f'{host} hung up on channel "{channel}" before it had the whole message') from error
        except httpx.HTTPError as error:
            raise Doubtful(f'{host} gave no answer for channel "{channel}" after the message was sent') from error

    def reaches(self, url: str) -> bool:
        """Whether the host of `url` answers anything; its path, which may be a secret, is not asked for."""
        parts = urlsplit(url)
        try:
            with self._client.stream("HEAD", f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"):
                return True
        except httpx.HTTPError:
            return False

    def close(self) -> None:
        self._client.close()


def is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        httpx.URL(url)  # stricter about characters
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except (ValueError, httpx.InvalidURL):
        return False


def _beginning(response: httpx.Response) -> str:
    """As it came, never unpacked. Empty where it cannot be read: with the status the other side has spoken."""
    read = b""
    try:
        for part in response.iter_raw(_MOST_READ):
            read += part
            if len(read) >= _MOST_READ:
                break
    except httpx.HTTPError:
        return ""
    return read[:_MOST_READ].decode("utf-8", "replace")


def _is_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
