"""Who is it: bearer tokens, sessions, links to sign in with once, and how often somebody may guess."""

import hmac
import secrets
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Lock
from typing import TypeVar

from flowy_watch.settings import WebSettings
from flowy_watch.store import Guest, Store
from flowy_watch.web.visit import NOBODY, Person, Refusal, Role

T = TypeVar("T")

LINK_LIVES = timedelta(minutes=10)
SESSION_LIVES = timedelta(hours=12)
_GUESSES, _WITHIN = 10, timedelta(minutes=5)
_MOST_ADDRESSES = 4096


def make_link(store: Store, *, role: Role, by: str, now: datetime, speed: float = 1) -> str:
    """The code of a link that signs somebody in once. Only its hash is kept.

    `speed` is how fast `now` runs: ten minutes are meant as people live them.
    """
    code = secrets.token_urlsafe(32)
    with store.write() as work:
        work.sign_ins.add_code(_hash(code), Guest(role.word, by), expires_at=now + LINK_LIVES * speed, now=now)
    return code


class Identity:
    """Tells who somebody is by what they bring."""

    def __init__(self, store: Store, settings: WebSettings, *, speed: float) -> None:
        """`speed` is that of the clock which tells `now`: a session lives twelve hours as people live them."""
        self._store, self._session_lives = store, SESSION_LIVES * speed
        found = ((settings.token, Role.OPERATOR), (settings.viewer_token, Role.VIEWER))
        self._tokens = [(token.get_secret_value(), role) for token, role in found if token]
        self._guesses = Guesses()

    @property
    def has_tokens(self) -> bool:
        return bool(self._tokens)

    def bearer(self, token: str, *, address: str, now: datetime) -> Person:
        """Raises Refusal for a wrong one."""
        role = self._guessed(address, now, lambda: self._role_of(token))
        return Person(role, "the API")

    def by_session(self, session: str, *, now: datetime) -> Person:
        if not session:
            return NOBODY
        with self._store.read() as work:
            found = work.sign_ins.session(_hash(session), now=now)
        if found is None or not self._still_bound(session, found.bound):
            return NOBODY
        return Person(Role[found.guest.role.upper()], found.guest.by, csrf_of(session))

    def sign_in_by_link(self, code: str, *, address: str, now: datetime) -> str:
        """A new session's cookie. Raises Refusal when the link was used, has expired or never was."""

        def use() -> Guest | None:
            with self._store.write() as work:
                return work.sign_ins.use_code(_hash(code), now=now)

        guest = self._guessed(address, now, use)
        return self._open(guest, bound_to="", now=now)

    def sign_in_by_token(self, token: str, name: str, *, address: str, now: datetime) -> str:
        role = self._guessed(address, now, lambda: self._role_of(token))
        return self._open(Guest(role.word, name or role.word), bound_to=token, now=now)

    def sign_out(self, session: str) -> None:
        with self._store.write() as work:
            work.sign_ins.end_session(_hash(session))

    def _open(self, guest: Guest, *, bound_to: str, now: datetime) -> str:
        session = secrets.token_urlsafe(32)
        bound = _bound(session, bound_to) if bound_to else ""
        with self._store.write() as work:
            work.sign_ins.add_session(_hash(session), guest, bound=bound, expires_at=now + self._session_lives, now=now)
        return session

    def _still_bound(self, session: str, bound: str) -> bool:
        """A session that a token opened ends when the configuration has another token."""
        return not bound or any(hmac.compare_digest(bound, _bound(session, token)) for token, _ in self._tokens)

    def _role_of(self, token: str) -> Role | None:
        given, found = token.encode(), None
        for known, role in self._tokens:  # all of them, so that time tells nothing
            if hmac.compare_digest(given, known.encode()):
                found = role
        return found

    def _guessed(self, address: str, now: datetime, right: Callable[[], T | None]) -> T:
        self._guesses.allow(address, now)
        found = right()
        if found is None:
            self._guesses.note(address, now)
            raise Refusal(401, "This does not sign you in: it is wrong, was used before, or has expired.")
        return found


class Guesses:
    """Wrong ones, by address: after ten within five minutes nobody there is listened to for a while."""

    def __init__(self) -> None:
        self._wrong: dict[str, deque[datetime]] = {}
        self._lock = Lock()

    def allow(self, address: str, now: datetime) -> None:
        """Raises Refusal when there were too many."""
        with self._lock:
            wrong = self._wrong.get(address, deque())
            while wrong and wrong[0] <= now - _WITHIN:
                wrong.popleft()
            if len(wrong) >= _GUESSES:
                wait = int((wrong[0] + _WITHIN - now).total_seconds()) + 1
                raise Refusal(429, "Too many wrong tries from your address; wait a few minutes.", retry_after=wait)

    def note(self, address: str, now: datetime) -> None:
        with self._lock:
            if address not in self._wrong and len(self._wrong) >= _MOST_ADDRESSES:
                self._wrong.pop(next(iter(self._wrong)))
            self._wrong.setdefault(address, deque(maxlen=_GUESSES)).append(now)


def csrf_of(session: str) -> str:
    """What a form must bring back: only a page that was made for this session knows it."""
    return hmac.new(session.encode(), b"form", sha256).hexdigest()


def _bound(session: str, token: str) -> str:
    return hmac.new(session.encode(), token.encode(), sha256).hexdigest()


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
