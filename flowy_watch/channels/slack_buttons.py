"""Buttons in Slack without a public address: Socket Mode brings each press over a WebSocket that we open.

Whatever happens to the socket, the watch and its deliveries do not notice: all of it lives on threads of its own.
Longer than most, so that its threads, and who ends which, are seen together.
"""

import ipaddress
import json
import logging
import re
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from http.client import HTTPException
from queue import Empty, Full, Queue
from random import SystemRandom
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import urlsplit

import httpx
import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from flowy_watch.channels.base import Act
from flowy_watch.channels.retry_after import retry_after
from flowy_watch.core.check import Check
from flowy_watch.core.press import Press, Until, Verb, read_action
from flowy_watch.core.redact import redact
from flowy_watch.core.words import slack_account
from flowy_watch.errors import ChannelError, FlowyWatchError, Refused, TryLater
from flowy_watch.log import hide_addresses
from flowy_watch.trust import trusted

if TYPE_CHECKING:  # it costs a tenth of a second, and few have buttons
    from websockets.sync.client import ClientConnection

ADVICE = {
    "invalid_auth": "the app token is not valid; set channels.{name}.app_token to an App-Level Token (xapp-…)",
    "not_authed": "no app token was sent; set channels.{name}.app_token",
    "token_revoked": "the app token was revoked; make a new one and set channels.{name}.app_token",
    "not_allowed_token_type": "this is no App-Level Token; set channels.{name}.app_token to one that begins with xapp-",
    "missing_scope": "the app token lacks a permission; make one with the scope connections:write",
}
_OTHERWISE = "switch on Socket Mode and Interactivity in the Slack app's settings"
_FIRST_PAUSE, _LONGEST_PAUSE, _AFTER_REFUSAL = 1.0, 60.0, 300.0  # seconds
_STEADY = 30.0  # a connection that lasted so many seconds was a good one
_LONGEST = 4 << 20  # bytes of one message; Slack's are below a hundred thousand
_GOODBYE = 0.5  # seconds for the other side to take leave
_MOST_WAITING = 100
_REMEMBERED = 1000  # presses; Slack sends one again only within moments
_ANSWERS_COME_FROM = "hooks.slack.com"

log = structlog.get_logger()
_dice = SystemRandom()


class SlackButtons:
    """Listens for presses, and has them acted upon one after the other by `act`.

    An envelope is acknowledged before anything else is done, and acted upon once however often it comes. Only
    `allowed_users` may act; everybody else is told so in private.
    """

    def __init__(
        self,
        name: str,
        client: WebClient,
        *,
        app_token: str,
        allowed_users: Collection[str],
        timeout: timedelta,
        act: Act,
        beat: float = 10.0,
    ) -> None:
        """`client` is the bot's; `beat` is how often a sign of life is asked for, in seconds."""
        self.name, self._client, self._token = name, client, app_token
        self._allowed, self._act = frozenset(allowed_users), act
        self._timeout, self._beat = timeout.total_seconds(), beat
        self._presses: Queue[Mapping[str, Any]] = Queue(_MOST_WAITING)
        self._known: OrderedDict[tuple[str, ...], None] = OrderedDict()
        hide_addresses()
        self._stopping, self._lock = Event(), Lock()
        self._socket: ClientConnection | None = None
        self._trouble = "not connected yet"
        self._threads = [
            Thread(target=work, name=f"{what}-{name}", daemon=True)
            for work, what in ((self._stay_connected, "buttons"), (self._work, "presses"))
        ]

    @property
    def trouble(self) -> str:
        """Why no press can be heard now; empty while one can."""
        return self._trouble

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, *, within: timedelta) -> None:
        """Hangs up; what was pressed before is still acted upon, for at most `within`."""
        self._stopping.set()
        with self._lock:
            connection = self._socket
        if connection:
            connection.close()  # also ends a wait for what comes next
        until = monotonic() + within.total_seconds()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(until - monotonic(), 0))

    def check(self) -> Iterator[Check]:
        try:
            self._address()
        except ChannelError as error:
            yield Check(f"channels.{self.name}", ok=False, detail=str(error))
        else:
            people = f"{len(self._allowed)} may press" if len(self._allowed) > 1 else "1 person may press"
            yield Check(f"channels.{self.name}", ok=True, detail=f"buttons: Slack lets the app listen; {people}")

    # ── the connection ───────────────────────────────────────────────────────────────────────────────────────────

    def _stay_connected(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            began, pause = monotonic(), 0.0
            try:
                self._listen()
            except Refused as error:
                reason, pause = str(error), _AFTER_REFUSAL
            except TryLater as error:
                reason, pause = str(error), error.retry_after.total_seconds() if error.retry_after else 0.0
            except (OSError, ValueError) as error:
                reason = f"the connection for the buttons ended ({type(error).__name__})"
            except Exception as error:  # whatever it is, the next connection may fare better
                log.exception("buttons.crashed", channel=self.name, error=type(error).__name__)
                reason = f"internal error ({type(error).__name__})"
            else:
                continue  # Slack asked for a new connection, as it does every few hours
            failures = 1 if monotonic() - began > _STEADY else failures + 1
            if not self._stopping.is_set():
                self._note(reason)
                backoff = min(_FIRST_PAUSE * (1 << min(failures - 1, 10)), _LONGEST_PAUSE) * _dice.uniform(0.5, 1.0)
                self._stopping.wait(pause or backoff)

    def _listen(self) -> None:
        """One connection, until Slack asks for another. Raises OSError when it cannot be made or breaks."""
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        try:
            with connect(
                self._address(),
                compression=None,
                open_timeout=self._timeout,
                close_timeout=_GOODBYE,
                ping_interval=self._beat,
                ping_timeout=2 * self._beat,
                max_size=_LONGEST,
                logger=silent_logger(),  # it would name the address, with which anybody can answer for us
            ) as connection:
                with self._lock:
                    self._socket = connection
                try:
                    self._hear(connection)
                finally:
                    with self._lock:
                        self._socket = None
        except WebSocketException as error:
            raise ConnectionError(type(error).__name__) from error

    def _hear(self, connection: "ClientConnection") -> None:
        while not self._stopping.is_set():
            said = _object(connection.recv(decode=True))
            if said.get("type") == "hello":
                self._note("")
            elif said.get("type") == "disconnect":
                if said.get("reason") == "link_disabled":
                    raise Refused(f'Slack hears no buttons for channel "{self.name}": {_OTHERWISE}')
                return
            else:
                self._take(connection, said)

    def _address(self) -> str:
        """Where Slack wants to be listened to."""
        who = f'the buttons of channel "{self.name}"'
        try:
            url = str(self._client.apps_connections_open(app_token=self._token).get("url") or "")
        except SlackApiError as error:
            headers = {key.lower(): str(value) for key, value in dict(error.response.headers or {}).items()}
            code = str((error.response.data or {}).get("error", ""))
            if error.response.status_code == 429 or error.response.status_code >= 500 or code == "ratelimited":
                pause = retry_after(headers.get("retry-after"), headers.get("date"))
                raise TryLater(f"Slack asks {who} to wait", retry_after=pause) from error
            if not re.fullmatch(r"[a-z0-9_]{1,60}", code):
                raise TryLater(f"Slack gave {who} an answer that makes no sense") from error
            advice = ADVICE.get(code, _OTHERWISE).format(name=self.name)
            raise Refused(f"Slack refused {who} ({code}): {advice}") from error
        except (URLError, OSError, HTTPException) as error:
            raise TryLater(f"Slack could not be reached for {who}") from error
        except (SlackClientError, ValueError, AttributeError, TypeError) as error:
            raise TryLater(f"Slack gave {who} an answer that makes no sense") from error
        if not _is_safe(url):
            raise TryLater(f"Slack gave {who} an address that is not encrypted")
        return url

    def _note(self, trouble: str) -> None:
        """Once per change: a connection that is down is tried again and again."""
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble:
            log.warning("buttons.lost", channel=self.name, reason=trouble)
        else:
            log.info("buttons.connected", channel=self.name)

    # ── the presses ──────────────────────────────────────────────────────────────────────────────────────────────

    def _take(self, connection: "ClientConnection", envelope: Mapping[str, Any]) -> None:
        """Acknowledged at once, whatever it is: Slack waits three seconds, and shows a person that it waits."""
        envelope_id = envelope.get("envelope_id")
        if not isinstance(envelope_id, str) or not envelope_id:
            return
        connection.send(json.dumps({"envelope_id": envelope_id}))
        payload = envelope.get("payload")
        if envelope.get("type") != "interactive" or not isinstance(payload, Mapping):
            return
        try:
            self._presses.put_nowait({**payload, "envelope_id": envelope_id})
        except Full:
            log.error("press.dropped", channel=self.name, reason="too many wait already")

    def _work(self) -> None:
        while True:
            try:
                payload = self._presses.get(timeout=0.2)
            except Empty:
                if self._stopping.is_set():
                    return
                continue
            try:
                self._heard(payload)
            except Exception as error:  # one odd press must not end the thread
                log.exception("press.crashed", channel=self.name, error=type(error).__name__)

    def _heard(self, payload: Mapping[str, Any]) -> None:
        user = _mapping(payload.get("user"))
        actions = payload.get("actions")
        for action in actions if isinstance(actions, list) else ():
            action = _mapping(action)
            wanted = read_action(str(action.get("action_id", "")))
            if not wanted or wanted[0] is Verb.OPEN or self._is_known(payload, action):
                continue
            if user.get("id") not in self._allowed:
                log.warning("press.refused", channel=self.name, user=_word(user.get("id")), action=wanted[0].value)
                self._answer(payload, "You may not do this here. Ask for a place in allowed_users of flowy-watch.")
                continue
            until = _mapping(action.get("selected_option")).get("value")
            press = Press(*wanted, by=_who(user), until=Until(until) if until in set(Until) else Until.DAY)
            self._answer(payload, self._acted(press))

    def _acted(self, press: Press) -> str:
        """What is to be said about it to whoever pressed; nothing where the message itself shows it."""
        try:
            said = self._act(press)
        except FlowyWatchError as error:
            log.warning("press.failed", channel=self.name, alert=press.alert_id, reason=str(error))
            return f"Not done: {error}"
        except Exception as error:  # said to the person, who would wait in vain
            log.exception("press.crashed", channel=self.name, alert=press.alert_id, error=type(error).__name__)
            return f"Not done: internal error ({type(error).__name__}); the log says more."
        log.info("press.done", channel=self.name, alert=press.alert_id, action=press.verb.value, by=press.by)
        return said

    def _is_known(self, payload: Mapping[str, Any], action: Mapping[str, Any]) -> bool:
        """Whether this press came before. Slack gives each its instant; the envelope's id may change when repeated."""
        stamp = str(action.get("action_ts") or payload.get("envelope_id"))
        mark = str(_mapping(payload.get("user")).get("id")), str(action.get("action_id")), stamp
        if mark in self._known:
            return True
        self._known[mark] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return False

    def _answer(self, payload: Mapping[str, Any], text: str) -> None:
        """Words for whoever pressed, and for nobody else."""
        if not text:
            return
        words = {"text": redact(_escaped(text))[:2000], "response_type": "ephemeral", "replace_original": False}
        url = str(payload.get("response_url") or "")
        if self._is_slacks(url):
            try:
                if httpx.post(url, json=words, timeout=self._timeout, verify=trusted()).is_success:
                    return
            except (httpx.HTTPError, httpx.InvalidURL):
                pass
        channel = _mapping(payload.get("channel")).get("id") or _mapping(payload.get("container")).get("channel_id")
        user = _mapping(payload.get("user")).get("id")
        try:
            self._client.chat_postEphemeral(channel=str(channel), user=str(user), text=str(words["text"]))
        except (SlackClientError, OSError, HTTPException, ValueError) as error:
            log.warning("press.unanswered", channel=self.name, error=type(error).__name__)

    def _is_slacks(self, url: str) -> bool:
        """Whether an address that came with a press is one that Slack would give."""
        with suppress(ValueError):
            ours, parts = urlsplit(self._client.base_url), urlsplit(url)
            if parts.netloc == _ANSWERS_COME_FROM:
                return parts.scheme == "https"
            return (parts.scheme, parts.netloc) == (ours.scheme, ours.netloc)
        return False


def silent_logger() -> logging.Logger:
    """For libraries that raise every error: it need not be logged too."""
    return logging.Logger("slack", logging.CRITICAL + 1)


def _is_safe(url: str) -> bool:
    """Encrypted, or on this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
        if parts.scheme == "wss":
            return bool(host)
        return parts.scheme == "ws" and (host == "localhost" or ipaddress.ip_address(host).is_loopback)
    except ValueError:
        return False


def _object(text: str) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _who(user: Mapping[str, Any]) -> str:
    return slack_account(_word(user.get("username") or user.get("name")), _word(user.get("id")))


def _word(value: object) -> str:
    return "".join(c for c in str(value or "") if c.isprintable())[:60]


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
