"""The people's side on loopback: a Slack workspace and a mailbox that keep what arrives, and misbehave when asked to.

Longer than most files, because the two are started, scripted and read in the same way and are easiest to learn side by
side.
"""

import asyncio
import json
import logging
import ssl
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Self
from urllib.parse import parse_qs

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from flowy_watch.clock import Clock, SystemClock
from flowy_watch.simulator.slack_socket import PATH, SocketMode

WEBHOOK_PATH = "/services/T0SIM/B0SIM/"
RESPONSE_PATH = "/actions/T0SIM/"


@dataclass(frozen=True, slots=True)
class Post:
    """One message as it stands in the fake workspace."""

    channel: str
    ts: str
    payload: Mapping[str, Any]
    """As it was sent: text, blocks, metadata, thread_ts and what else there was."""
    updates: int = 0

    @property
    def text(self) -> str:
        return str(self.payload.get("text", ""))

    @property
    def blocks(self) -> list[dict[str, Any]]:
        return list(self.payload.get("blocks") or [])

    @property
    def outbox_id(self) -> str:
        metadata = self.payload.get("metadata") or {}
        return str(metadata.get("event_payload", {}).get("outbox_id", ""))

    @property
    def thread_ts(self) -> str:
        return str(self.payload.get("thread_ts", ""))


@dataclass(frozen=True, slots=True)
class Private:
    """Words that only one person sees."""

    user: str
    text: str
    thread_ts: str = ""


class _Quirk(StrEnum):
    ANSWER = "answer"
    HANG = "hang"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class _Script:
    """What to do with one request instead of the usual."""

    quirk: _Quirk = _Quirk.ANSWER
    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    taken: bool = False
    """The message is kept, although whoever sent it does not hear so."""
    on: str = ""
    """Only this method, such as `chat.update`; empty: whatever comes next."""


class FakeSlack:
    """A Slack workspace on loopback: `with FakeSlack() as slack: … slack.url, slack.webhook_url, slack.posts`.

    Scripted answers are used up in order, each by one request. `token` and `webhook_secret` are the only credentials
    it knows. With `folder` every message is also written there as JSON; `on_post` is called with each, in the thread
    of the request. Messages are dated by `clock`, and `conversations.history` keeps to `oldest`: a test that tells its
    own time gives it here too.
    """

    def __init__(
        self,
        *,
        token: str = "xoxb-simulated-token",  # noqa: S107  # opens nothing but this fake
        webhook_secret: str = "simulated-webhook-secret",  # noqa: S107
        channel: str = "C0SIM",
        port: int = 0,
        folder: Path | None = None,
        on_post: Callable[[Post], None] | None = None,
        scopes: str = "chat:write,channels:history,channels:read",
        clock: Clock | None = None,
        app_token: str = "xapp-simulated-token",  # noqa: S107
    ) -> None:
        self._clock = clock or SystemClock()
        self.app_token, self.socket = app_token, SocketMode()
        self.token, self.webhook_secret, self.channel, self.scopes = token, webhook_secret, channel, scopes
        self._folder, self._on_post = folder, on_post
        self._lock, self._stopping = Lock(), Event()
        self._posts: list[Post] = []
        self._versions: list[Post] = []
        self._requests: list[str] = []
        self._privately: list[Private] = []
        self._scripts: deque[_Script] = deque()
        self._numbers = count(1)
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.socket.cut()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """What `api_url` is set to."""
        return f"http://127.0.0.1:{self.port}/api/"

    @property
    def webhook_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{WEBHOOK_PATH}{self.webhook_secret}"

    @property
    def posts(self) -> tuple[Post, ...]:
        with self._lock:
            return tuple(self._posts)

    @property
    def versions(self) -> tuple[Post, ...]:
        """Every message as it was first and after each change, in order."""
        with self._lock:
            return tuple(self._versions)

    @property
    def requests(self) -> tuple[str, ...]:
        """The methods called so far, such as `chat.postMessage`; `webhook` for the incoming webhook."""
        with self._lock:
            return tuple(self._requests)

    @property
    def privately(self) -> tuple[Private, ...]:
        """What was said to one person alone, by `chat.postEphemeral` or to the address that came with a press."""
        with self._lock:
            return tuple(self._privately)

    def press(
        self, action: str, *, user: str = "U0ANA", name: str = "ana", option: str = "", ts: str = "", **more: str
    ) -> str:
        """Somebody presses the button with this action id, or chooses an option of it; the envelope's id."""
        pressed: dict[str, Any] = {"action_id": action, "action_ts": more.pop("action_ts", self._stamp())}
        pressed |= {"type": "static_select", "selected_option": {"value": option}} if option else {"type": "button"}
        payload = {
            "type": "block_actions",
            "user": {"id": user, "username": name, "name": name, "team_id": "T0SIM"},
            "container": {"type": "message", "message_ts": ts, "channel_id": self.channel},
            "channel": {"id": self.channel, "name": "alerts"},
            "response_url": f"http://127.0.0.1:{self.port}{RESPONSE_PATH}{user}",
            "actions": [pressed],
        }
        return self.socket.send(payload, **more)

    def refuse(self, error: str, *, on: str = "") -> None:
        """The API says no with this word; the webhook does with its own status for it."""
        self._script(_Script(body=error, status=0, on=on))

    def limit(self, seconds: int | str, *, on: str = "") -> None:
        body = json.dumps({"ok": False, "error": "ratelimited"})
        self._script(_Script(status=429, body=body, headers={"Retry-After": str(seconds)}, on=on))

    def fail(self, status: int = 500, *, taken: bool = False, on: str = "") -> None:
        self._script(_Script(status=status, body="upstream error", taken=taken, on=on))

    def garble(self, body: str = "<html>welcome</html>", *, taken: bool = True, on: str = "") -> None:
        """200 with an answer that is none."""
        self._script(_Script(body=body, taken=taken, on=on))

    def hang(self, *, taken: bool = True, on: str = "") -> None:
        """Reads the request and never answers."""
        self._script(_Script(_Quirk.HANG, taken=taken, on=on))

    def drop(self, *, taken: bool = True, on: str = "") -> None:
        """Reads the request and hangs up."""
        self._script(_Script(_Quirk.DROP, taken=taken, on=on))

    def forget(self, ts: str) -> None:
        """Somebody deletes a message."""
        with self._lock:
            self._posts = [post for post in self._posts if post.ts != ts]

    def _script(self, script: _Script) -> None:
        with self._lock:
            self._scripts.append(script)

    def _next_script(self, method: str) -> _Script | None:
        with self._lock:
            self._requests.append(method)
            if self._scripts and self._scripts[0].on in ("", method):
                return self._scripts.popleft()
        return None

    def handle(self, request: "_Request") -> None:
        """Answer one HTTP request; called in a thread of its own."""
        method = "webhook" if request.path.startswith(WEBHOOK_PATH) else request.path.removeprefix("/api/")
        script = self._next_script(method)
        if script is None:
            request.answer(*self._usual(method, request))
            return
        if script.taken:
            self._usual(method, request)
        if script.quirk is _Quirk.HANG:
            self._stopping.wait()
        elif script.quirk is _Quirk.ANSWER:
            if script.status:
                request.answer(script.status, script.body, script.headers)
            else:
                request.answer(*_refusal(method, script.body))

    def _usual(self, method: str, request: "_Request") -> tuple[int, str, Mapping[str, str]]:
        if method == "webhook":
            if request.path != WEBHOOK_PATH + self.webhook_secret:
                return 403, "invalid_token", {}
            if not request.payload.get("text"):
                return 400, "no_text", {}
            self.keep(self.channel, request.payload)
            return 200, "ok", {}
        if method.startswith(RESPONSE_PATH):
            return self._say_privately(method.removeprefix(RESPONSE_PATH), request.payload)
        if method == "apps.connections.open":
            if request.token != self.app_token:
                return _answer(ok=False, error="invalid_auth")
            return _answer(ok=True, url=f"ws://127.0.0.1:{self.port}{PATH}?ticket={self.socket.ticket()}&app_id=A0SIM")
        if request.token != self.token:
            return _answer(ok=False, error="invalid_auth")
        if too_much := _too_much(request.payload):
            return _answer(ok=False, error=too_much)
        call = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post_message,
            "chat.update": self._update,
            "chat.getPermalink": self._permalink,
            "chat.postEphemeral": self._post_ephemeral,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "conversations.info": self._info,
        }.get(method)
        return call(request.payload) if call else _answer(ok=False, error="unknown_method")

    def _auth_test(self, _: Mapping[str, Any]) -> tuple[int, str, Mapping[str, str]]:
        status, body, _headers = _answer(ok=True, team="Simulated", user="flowy-watch", bot_id="B0SIM", url=self.url)
        return status, body, {"X-OAuth-Scopes": self.scopes}

    def _post_message(self, payload: Mapping[str, Any]) -> tuple[int, str, Mapping[str, str]]:
        if payload.get("channel") not in (self.channel, "#alerts"):
            return _answer(ok=False, error="channel_not_found")
        post = self.keep(self.channel, payload)
        return _answer(ok=True, channel=post.channel, ts=post.ts, message={"text": post.text, "ts": post.ts})

    def _update(self, payload: Mapping[str, Any]) -> tuple[int, str, Mapping[str, str]]:
        with self._lock:
            for place, post in enumerate(self._posts):
                if post.ts == payload.get("ts") and post.channel == payload.get("channel"):
                    kept = {**post.payload, **{name: payload[name] for name in payload if name != "blocks"}}
                    kept["blocks"] = payload.get("blocks") or []  # without them Slack removes the old ones
                    updated = Post(post.channel, post.ts, kept, post.updates + 1)
                    self._posts[place] = updated
                    self._versions.append(updated)
                    break
            else:
                return _answer(ok=False, error="message_not_found")
        self._write(updated)
        return _answer(ok=True, channel=updated.channel, ts=updated.ts, text=updated.text)

    def _permalink(self, payload: Mapping[str, Any]) -> tuple[int, str, Mapping[str, str]]:
        ts = str(payload.get("message_ts", ""))
        if not any(post.ts == ts for post in self.posts):
            return _answer(ok=False, error="message_not_found")
        link = f"https://simulated.slack.com/archives/{self.channel}/p{ts.replace('.', '')}"
        return _answer(ok=True, channel=self.channel, permalink=link)

    def _post_ephemeral(self, payload: Mapping[str, Any]) -> tuple[int, str, Mapping[str, str]]:
        if payload.get("channel") != self.channel:
            return _answer(ok=False, error="channel_not_found")
        self._say_privately(str(payload.get("user", "")), payload)
        return _answer(ok=True, message_ts=self._stamp())

    def _say_privately(self, user: str, payload: Mapping[str, Any]) -> tuple[int, str, Mapping[str, str]]:
        if payload.get("response_type", "ephemeral") != "ephemeral" or not payload.get("text"):
            return 400, "invalid_payload", {}
        with self._lock:
            self._privately.append(Private(user, str(payload["text"]), str(payload.get("thread_ts", ""))))
        return 200, "ok", {}

    def _history(self, payload: Mapping[str, Any]) -> tuple[int, str, Mapping[str, str]]:
        oldest = float(payload.get("oldest") or 0)
        found = [post for post in self.posts if not post.thread_ts and float(post.ts) > oldest]
        return self._listing(found[::-1], payload)

    def _replies(self, payload: Mapping[str, Any]) -> tuple[int, str, Mapping[str, str]]:
        found = [post for post in self.posts if payload.get("ts") in (post.ts, post.thread_ts)]
        return self._listing(found, payload) if found else _answer(ok=False, error="thread_not_found")

    def _listing(self, posts: list[Post], payload: Mapping[str, Any]) -> tuple[int, str, Mapping[str, str]]:
        if payload.get("channel") != self.channel:
            return _answer(ok=False, error="channel_not_found")
        with_metadata = str(payload.get("include_all_metadata", "")).lower() in ("1", "true")
        start, size = int(payload.get("cursor") or 0), int(payload.get("limit") or 100)
        messages = []
        for post in posts[start : start + size]:
            message: dict[str, Any] = {"type": "message", "ts": post.ts, "text": post.text}
            if with_metadata and post.payload.get("metadata"):
                message["metadata"] = post.payload["metadata"]
            messages.append(message)
        more = start + size < len(posts)
        cursor = {"next_cursor": str(start + size) if more else ""}
        return _answer(ok=True, messages=messages, has_more=more, response_metadata=cursor)

    def _info(self, payload: Mapping[str, Any]) -> tuple[int, str, Mapping[str, str]]:
        if "channels:read" not in self.scopes:
            return _answer(ok=False, error="missing_scope")
        if payload.get("channel") != self.channel:
            return _answer(ok=False, error="channel_not_found")
        return _answer(ok=True, channel={"id": self.channel, "name": "alerts", "is_member": True, "is_archived": False})

    def keep(self, channel: str, payload: Mapping[str, Any]) -> Post:
        """A message stands in the channel."""
        with self._lock:
            post = Post(channel, self._stamp(), dict(payload))
            self._posts.append(post)
            self._versions.append(post)
        self._write(post)
        return post

    def _stamp(self) -> str:
        return f"{int(self._clock.now().timestamp())}.{next(self._numbers):06d}"

    def _write(self, post: Post) -> None:
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"slack-{post.ts.rpartition('.')[2]}.json"
            path.write_text(json.dumps(post.payload, ensure_ascii=False, indent=2), encoding="utf-8")
        if self._on_post:
            self._on_post(post)


@dataclass(frozen=True, slots=True)
class _Request:
    path: str
    token: str
    payload: Mapping[str, Any]
    answer: Callable[[int, str, Mapping[str, str]], None]


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close waits for them: nothing runs on after the `with`

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever hung up first is no news."""


def _handler(slack: FakeSlack) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            slack.handle(_Request(self.path, token, _payload(raw), self._answer))

        def do_GET(self) -> None:
            """A method asked for with a query, or a WebSocket, whose thread ends with it."""
            if self.path.startswith("/api/"):
                path, _, query = self.path.partition("?")
                token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
                slack.handle(_Request(path, token, _payload(query.encode()), self._answer))
                return
            self.close_connection = True
            if self.path.startswith(PATH):
                key = self.headers.get("Sec-WebSocket-Key") or ""
                slack.socket.serve(self.path, key, self.rfile, self.connection)

        def do_HEAD(self) -> None:
            self._answer(200, "", {})

        def _answer(self, status: int, body: str, headers: Mapping[str, str]) -> None:
            data = body.encode()
            kind = "application/json; charset=utf-8" if body.startswith("{") else "text/plain; charset=utf-8"
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    return Handler


def _payload(raw: bytes) -> Mapping[str, Any]:
    """The body, which Slack takes as JSON and as a form."""
    if raw.startswith(b"{"):
        with suppress(ValueError):
            return dict(json.loads(raw))
    return {name: values[-1] for name, values in parse_qs(raw.decode("utf-8", "replace")).items()}


def _too_much(payload: Mapping[str, Any]) -> str:
    """Slack's word for a message beyond its limits; empty for one within."""
    blocks = payload.get("blocks") or []
    if len(blocks) > 50:
        return "invalid_blocks"
    return "msg_blocks_too_long" if len(json.dumps(blocks, ensure_ascii=False)) > 13_000 else ""


def _answer(**fields: Any) -> tuple[int, str, Mapping[str, str]]:
    return 200, json.dumps(fields), {}


def _refusal(method: str, error: str) -> tuple[int, str, Mapping[str, str]]:
    if method != "webhook":
        return _answer(ok=False, error=error)
    status = {"no_service": 404, "channel_not_found": 404, "channel_is_archived": 410, "action_prohibited": 403}
    return status.get(error, 400), error, {}


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it arrived."""

    sender: str
    recipient: str
    raw: bytes

    @property
    def subject(self) -> str:
        return str(message_from_bytes(self.raw, policy=policy.default)["Subject"])

    @property
    def html(self) -> str:
        part = message_from_bytes(self.raw, policy=policy.default).get_body(("html",))
        return str(part.get_content()) if part else ""

    @property
    def page(self) -> str:
        """The HTML as a mail program shows it: with the pictures that travelled beside it."""
        page = self.html
        for part in message_from_bytes(self.raw, policy=policy.default).walk():
            if cid := str(part["Content-ID"] or "").strip("<>"):
                content = b64encode(part.get_payload(decode=True)).decode()  # type: ignore[arg-type]  # a picture is bytes
                page = page.replace(f"cid:{cid}", f"data:{part.get_content_type()};base64,{content}")
        return page


class MailSink:
    """A mail server on loopback: `with MailSink() as sink: … sink.port, sink.mails`.

    `tls` with `starttls=True` offers STARTTLS, without it speaks TLS from the first byte. `login` is the only
    username and password it knows; without one nobody needs to log in. With `folder` every mail is also written there
    as .eml and .html; `on_mail` is called with each, in the sink's thread.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        starttls: bool = False,
        login: tuple[str, str] | None = None,
        folder: Path | None = None,
        on_mail: Callable[[Mail], None] | None = None,
    ) -> None:
        self._wanted_port, self._tls, self._starttls, self._login = port, tls, starttls, login
        self._folder, self._on_mail = folder, on_mail
        self._lock, self._ready = Lock(), Event()
        self._mails: list[Mail] = []
        self._attempts: list[str] = []
        self._refusals: dict[str, str] = {}
        self._quirks: deque[tuple[_Quirk, str, bool]] = deque()
        self._connections: set[SMTP] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, daemon=True)
        self._error: OSError | None = None
        self.port = port

    def __enter__(self) -> Self:
        logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)  # aiosmtpd tells of every client that hangs up
        self._thread.start()
        self._ready.wait()
        if self._error:
            raise self._error
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @property
    def mails(self) -> tuple[Mail, ...]:
        with self._lock:
            return tuple(self._mails)

    @property
    def attempts(self) -> tuple[str, ...]:
        """The recipients of every RCPT so far, taken or not."""
        with self._lock:
            return tuple(self._attempts)

    def refuse(self, address: str, reply: str = "550 no such mailbox") -> None:
        """Refuses this recipient from now on: for good with 5xx, for now with 4xx; an empty reply takes it back."""
        with self._lock:
            self._refusals[address] = reply

    def answer(self, reply: str) -> None:
        """The next mail gets this reply after its data, and is not kept."""
        self._quirk(_Quirk.ANSWER, reply, taken=False)

    def hang(self, *, taken: bool = True) -> None:
        """The next mail is read and never answered."""
        self._quirk(_Quirk.HANG, "", taken=taken)

    def drop(self, *, taken: bool = True) -> None:
        """The next mail is read, and the connection closed without an answer."""
        self._quirk(_Quirk.DROP, "", taken=taken)

    def _quirk(self, quirk: _Quirk, reply: str, *, taken: bool) -> None:
        with self._lock:
            self._quirks.append((quirk, reply, taken))

    def _run(self) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        loop.set_exception_handler(lambda *_: None)  # a client that hangs up is no news
        wrapped = None if self._starttls else self._tls
        try:
            server = loop.run_until_complete(
                loop.create_server(self._connection, self.host, self._wanted_port, ssl=wrapped)
            )
        except OSError as error:
            self._error = error
            self._ready.set()
            loop.close()
            return
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        loop.run_forever()
        server.close()
        loop.run_until_complete(self._end(server.wait_closed()))
        loop.close()

    async def _end(self, closed: Coroutine[Any, Any, None]) -> None:
        for connection in self._connections:
            if isinstance(connection.transport, asyncio.Transport):
                connection.transport.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.wait_for(closed, 1)

    def _connection(self) -> SMTP:
        connection = SMTP(
            _Mailbox(self),
            hostname="mail.simulated",
            tls_context=self._tls if self._starttls else None,
            require_starttls=self._starttls,
            # Who must log in is asked at MAIL FROM: aiosmtpd warns aloud of a login without TLS.
            auth_require_tls=self._starttls,
            authenticator=self._authenticate,
            loop=self._loop,
        )
        self._connections.add(connection)
        return connection

    def _authenticate(
        self, _server: object, _session: object, _envelope: object, _how: str, data: object
    ) -> AuthResult:
        ok = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == self._login
        return AuthResult(success=ok, handled=False)

    def keep(self, mail: Mail) -> None:
        with self._lock:
            self._mails.append(mail)
            number = len(self._mails)
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / f"mail-{number:04d}.eml").write_bytes(mail.raw)
            (self._folder / f"mail-{number:04d}.html").write_text(mail.page, encoding="utf-8")
        if self._on_mail:
            self._on_mail(mail)

    def refusal_of(self, address: str) -> str:
        with self._lock:
            self._attempts.append(address)
            return self._refusals.get(address, "")

    def next_quirk(self) -> tuple[_Quirk, str, bool] | None:
        with self._lock:
            return self._quirks.popleft() if self._quirks else None

    @property
    def needs_login(self) -> bool:
        return self._login is not None


class _Mailbox:
    """What aiosmtpd asks about each step of a mail."""

    def __init__(self, sink: MailSink) -> None:
        self._sink = sink

    async def handle_MAIL(self, _server: object, session: Any, envelope: Any, address: str, _options: object) -> str:  # noqa: N802
        if self._sink.needs_login and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: object, _session: object, envelope: Any, address: str, _options: object
    ) -> str:
        if refusal := self._sink.refusal_of(address):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: object, envelope: Any) -> str:  # noqa: N802
        quirk, reply, taken = self._sink.next_quirk() or (_Quirk.ANSWER, "250 OK", True)
        if taken:
            for recipient in envelope.rcpt_tos:
                self._sink.keep(Mail(envelope.mail_from, recipient, envelope.original_content))
        if quirk is _Quirk.HANG:
            await asyncio.Event().wait()
        if quirk is _Quirk.DROP:
            server.transport.close()
        return reply or "250 OK"
