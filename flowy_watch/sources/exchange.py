"""One request and its answer, in bounded time and memory."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
from pydantic import SecretStr

from flowy_watch import __version__
from flowy_watch.core.redact import HIDDEN
from flowy_watch.core.usage import clean_name
from flowy_watch.errors import SourceError
from flowy_watch.sources.body import ENCODINGS, receive
from flowy_watch.sources.worker import Worker
from flowy_watch.trust import trusted

_ERROR_BODY = 4096
_LONGEST_SAID = 120
_SHORTEST_SECRET = 6  # a query such as `limit=1` hides nothing


class Again(Exception):
    """This try failed in a way that another may not; `asked` is how long the server wishes us to wait."""

    def __init__(self, reason: str, *, asked: timedelta | None = None, trouble: bool) -> None:
        super().__init__(reason)
        self.asked = asked
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class Call:
    """What to get, and the option that says where."""

    path: str
    option: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Beside those of every call, or in their place."""

    def __str__(self) -> str:
        return f"GET {clean_name(self.path)}"


@dataclass(frozen=True, slots=True)
class Received:
    status: int
    headers: httpx.Headers
    body: bytes


class Exchange:
    """Sends what it is told to, once. Redirects are not followed: the token would travel with them.

    Through httpx's transport and not its client: what that adds (redirects, cookies, credentials, a proxy looked up
    each time) is not wanted here, and costs a poll of twenty pages a third more for its requests.
    """

    def __init__(
        self, base_url: str, max_body: int, headers: Mapping[str, SecretStr], more_secrets: Iterable[SecretStr] = ()
    ) -> None:
        # At INFO httpx writes whole URLs, and a query may hold a secret; at DEBUG httpcore writes headers.
        for name in ("httpx", "httpcore"):
            if logging.getLogger(name).level == logging.NOTSET:
                logging.getLogger(name).setLevel(logging.WARNING)
        self._base_url, self._max_body = base_url, max_body
        told = [secret.get_secret_value() for secret in (*headers.values(), *more_secrets)]
        self._secrets = sorted((text for text in told if len(text) >= _SHORTEST_SECRET), key=len, reverse=True)
        self._headers = _headers(headers)
        self._transport = self._open()
        self._worker = Worker("source-requests")
        self._under_way: Future[Received] | None = None
        self._closed = False

    def close(self) -> None:
        """Whoever waits for an answer gets SourceError at once: the end of the program does not wait for a server."""
        self._closed = True
        if self._under_way is not None:
            self._under_way.cancel()
        self._worker.end()
        self._transport.close()

    def send(self, call: Call, timeout: timedelta) -> Received:
        """One request, in a thread of its own that serves the next one too.

        The timeouts of an HTTP library start anew with every byte and do not cover the lookup of the name: a server
        that drips its headers would hold up the poll for hours. So the request is abandoned from outside, and its
        thread with it.

        Raises Again where another try may help, else SourceError.
        """
        allowed = timeout.total_seconds()
        transport, abandoned = self._transport, threading.Event()

        def exchange() -> Received:
            try:
                return self._exchange(transport, call, allowed, abandoned.is_set)
            finally:
                if abandoned.is_set():
                    transport.close()

        try:
            outcome = self._under_way = self._worker.do(exchange)
            if self._closed:
                outcome.cancel()
            return outcome.result(timeout=allowed)
        except CancelledError:
            raise SourceError("the source was closed while it waited") from None
        except TimeoutError:
            abandoned.set()
            self._worker.end()
            self._transport, self._worker = self._open(), Worker("source-requests")
            if outcome.done():  # just now: its thread may not have seen that it was abandoned
                transport.close()
            raise Again(f"no whole answer in {allowed:g} s", trouble=True) from None
        except SourceError as error:
            raise SourceError(f"the answer to {call} {error}") from error
        # `from None`: the causes quote what was sent and what came back.
        except httpx.TimeoutException:
            raise Again(f"no answer in {allowed:g} s", trouble=True) from None
        except (httpx.ConnectError, httpx.ProxyError) as error:
            raise Again(f"cannot connect ({self.safe(str(error))})", trouble=True) from None
        except httpx.TransportError:
            raise Again("the connection broke off before the whole answer was there", trouble=True) from None
        except (httpx.HTTPError, httpx.InvalidURL, RuntimeError):
            raise SourceError(f"{call}: the request could not be made; check source.base_url") from None

    def _exchange(
        self, transport: httpx.HTTPTransport, call: Call, allowed: float, abandoned: Callable[[], bool]
    ) -> Received:
        url = httpx.URL(self._base_url + call.path, params=call.query or None)
        limits = httpx.Timeout(allowed).as_dict()
        headers = self._headers
        if call.headers:
            headers = headers.copy()
            headers.update(call.headers)
        request = httpx.Request("GET", url, headers=headers, extensions={"timeout": limits})
        response = transport.handle_request(request)
        try:
            if response.is_success:
                body = receive(response, self._max_body, abandoned=abandoned)
            else:
                try:
                    body = receive(response, _ERROR_BODY, beyond="cut", abandoned=abandoned)
                except SourceError:
                    body = b""  # the status says enough
        finally:
            response.close()
        return Received(response.status_code, response.headers, body)

    def safe(self, text: str) -> str:
        """Words from the other side, short and without any secret of ours."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        text = clean_name(text)
        return text if len(text) <= _LONGEST_SAID else text[: _LONGEST_SAID - 1] + "…"

    def _open(self) -> httpx.HTTPTransport:
        return httpx.HTTPTransport(verify=trusted(), proxy=_proxy(self._base_url))


def _headers(more: Mapping[str, SecretStr]) -> httpx.Headers:
    headers = httpx.Headers({"Accept": "application/json"})
    headers["Connection"] = "keep-alive"
    headers["User-Agent"] = f"flowy-watch/{__version__}"
    for name, value in more.items():
        headers[name] = value.get_secret_value()
    headers["Accept-Encoding"] = ENCODINGS  # last: bodies are unpacked by us, and only this way
    return headers


def _proxy(base_url: str) -> str | None:
    """The one that the environment names for this address (`HTTPS_PROXY`, `NO_PROXY` and their like)."""
    url, proxies = urlsplit(base_url), getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(url.netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
