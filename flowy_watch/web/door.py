"""The way in: which requests are heard at all, who asks, and what every answer carries."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial
from hmac import compare_digest
from ipaddress import ip_address
from socket import gethostname
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowy_watch.errors import NotFound, StoreError
from flowy_watch.web.problem import problem
from flowy_watch.web.visit import Person, Refusal, Role, Visit
from flowy_watch.web.workers import Busy, Workers

if TYPE_CHECKING:
    from flowy_watch.web.site import Site

COOKIE = "flowy_watch"
FORM_LIMIT = 64 * 1024
_GLANCE = 0.02  # seconds after which somebody who waits looks again whether the poll has ended
_CSP = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
    "img-src 'self' data:"
)
_HEADERS = {
    "content-security-policy": _CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not no-referrer: with that a browser says `Origin: null` in the forms of our own pages.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}

log = structlog.get_logger()

Page = Callable[["Site", Visit], Response]
Answer = Callable[[Request], Awaitable[Response]]


class Frame:
    """Round every answer: refuses names that are not ours (DNS rebinding), adds the headers that keep a page safe.

    While a poll works, requests wait here, each for a second or two at most; only `/healthz` is answered.
    """

    def __init__(self, app: ASGIApp, known: Callable[[str], bool], poll_works_for: Callable[[], float]) -> None:
        self._app, self._known, self._poll_works_for = app, known, poll_works_for

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                # Static files are of the program and hold nothing of the workspace: a browser may keep and ask again.
                headers.setdefault("cache-control", "no-cache" if scope["path"].startswith("/static/") else "no-store")
            await send(message)

        if scope["type"] != "http":
            return
        if not self._known(Headers(scope=scope).get("host", "")):
            refusal = Response("This name is not served here; web.url says which is.\n", 421, media_type="text/plain")
            await refusal(scope, receive, framed)
            return
        while scope["path"] != "/healthz" and (left := self._poll_works_for()):
            await asyncio.sleep(min(left, _GLANCE))
        await self._app(scope, receive, framed)


def known_host(host: str, allowed: frozenset[str]) -> bool:
    """Names in `allowed`, this machine's own, and plain addresses: no name that somebody else could point at us."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if any(c in host for c in "/@?#\\ "):
            return False
    except ValueError:
        return False
    if name in allowed or name in ("localhost", gethostname().lower()):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def opened(
    site: "Site", workers: Workers, page: Page, *, needs: Role, machine: bool = False, limit: int = FORM_LIMIT
) -> Answer:
    """A page as Starlette calls it. `machine`: a bearer token counts, and errors are problems in JSON."""

    async def answer(request: Request) -> Response:
        visit = _visit(site, request)
        try:
            if machine and (person := _bearer(site, request, visit)):
                visit = replace(visit, person=person)
            elif request.method not in ("GET", "HEAD"):
                if machine:
                    raise Refusal(401, "Acting through the API needs web.token as a bearer token.")
                _same_origin(request)
            if request.method in ("POST", "PUT", "PATCH", "DELETE"):
                body = await _body(request, limit)
                form = {} if machine else _form(body, request.headers.get("content-type", ""))
                visit = replace(visit, body=body, form=form)
            return await workers.run(partial(_attend, site, visit, page, needs=needs, machine=machine))
        except Refusal as refusal:
            return refused(site, visit, refusal, machine=machine)
        except Busy:
            busy = Refusal(503, "Too much is asked at once; try again in a moment.", retry_after=5)
            return refused(site, visit, busy, machine=machine)
        except ClientDisconnect:
            return Response(status_code=400)

    return answer


def _attend(site: "Site", visit: Visit, page: Page, *, needs: Role, machine: bool) -> Response:
    """In a worker: say who it is, then answer. Whatever a page does, there is an answer, and the log says why."""
    site.give_way()
    try:
        if visit.person.role is Role.NOBODY:
            visit = replace(visit, person=site.identity.by_session(visit.session, now=visit.now))
            if visit.method not in ("GET", "HEAD") and needs and visit.person.role:
                _came_from_our_page(visit)
        _allow(visit, needs)
        return page(site, visit)
    except Refusal as refusal:
        return refused(site, visit, refusal, machine=machine)
    except NotFound as error:
        words = str(error) if machine else str(error)[:1].upper() + str(error)[1:]  # programs show it their own way
        return refused(site, visit, Refusal(404, f"{words}."), machine=machine)
    except StoreError as error:
        log.error("web.failed", path=visit.path, reason=str(error))
        return refused(site, visit, Refusal(503, "The database does not answer; the log says why."), machine=machine)
    except Exception as error:  # the wrapper of all pages: one that is broken must not take the others along
        log.exception("web.page_crashed", path=visit.path, error=type(error).__name__)
        return refused(site, visit, Refusal(500, "This page is broken; the log says where."), machine=machine)


def _allow(visit: Visit, needs: Role) -> None:
    if visit.person.role >= needs:
        return
    if visit.person.role is Role.NOBODY:
        raise Refusal(401, "Sign in first: `flowy-watch open` prints a link.")
    raise Refusal(403, "You may look, not act: this needs an operator.")


def refused(site: "Site", visit: Visit, refusal: Refusal, *, machine: bool) -> Response:
    headers = {"retry-after": str(refusal.retry_after)} if refusal.retry_after else {}
    if machine:
        if refusal.status == 401:
            headers["www-authenticate"] = "Bearer"
        return problem(refusal.status, refusal.reason, headers=headers)
    if refusal.status == 401 and visit.method in ("GET", "HEAD") and not visit.path.startswith("/login"):
        target = f"/sign-in?next={quote(visit.path)}"
        if visit.fragment:
            return Response(status_code=401, headers=headers | {"hx-redirect": target})
        return RedirectResponse(target, 303, headers)
    status = refusal.status
    return site.page("refused.html.j2", visit, status=status, headers=headers, code=status, reason=refusal.reason)


def _visit(site: "Site", request: Request) -> Visit:
    headers = request.headers
    return Visit(
        method=request.method,
        path=request.url.path,
        now=site.clock.now(),
        query={name: value[:500] for name, value in list(request.query_params.items())[:50]},
        places={name: str(value) for name, value in request.path_params.items()},
        session=request.cookies.get(COOKIE, "")[:200],
        fragment=headers.get("hx-request") == "true",
        host=headers.get("host", ""),
        secure=site.secure,
        address=request.client.host if request.client else "",
    )


def _bearer(site: "Site", request: Request, visit: Visit) -> Person | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        return None
    if scheme.lower() != "bearer" or not token:
        raise Refusal(401, "The Authorization header must be: Bearer, a space, and web.token.")
    return site.identity.bearer(token.strip(), address=visit.address, now=visit.now)


def _same_origin(request: Request) -> None:
    """A browser says where a form stands; what does not come from a page of ours is not heard."""
    origin = request.headers.get("origin")
    if origin is None:
        if request.headers.get("sec-fetch-site") == "same-origin":
            return
        raise Refusal(403, "This request does not say which page it comes from (Origin).")
    try:
        place = urlsplit(origin)
    except ValueError:
        place = urlsplit("")
    if place.scheme not in ("http", "https") or place.netloc != request.headers.get("host", ""):
        raise Refusal(403, "This request comes from another site's page.")


def _came_from_our_page(visit: Visit) -> None:
    if not compare_digest(visit.form.get("csrf", "").encode(), visit.person.csrf.encode()):
        raise Refusal(403, "This form is too old: go back, load its page again, and send it again.")


async def _body(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > limit:
        raise Refusal(413, f"The request is larger than {limit // 1024:,} KB.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise Refusal(413, f"The request is larger than {limit // 1024:,} KB.")
    return body


def _form(body: bytes, content_type: str) -> dict[str, str]:
    if not body:
        return {}
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Refusal(415, "Only plain forms are read here.")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50, errors="strict")
    except ValueError:
        raise Refusal(400, "This form cannot be read.") from None
    return dict(pairs)


def elsewhere(site: "Site") -> Callable[[Request, Exception], Awaitable[Response]]:
    """What no route is for."""

    async def answer(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        reason = {404: "There is no such page.", 405: "This cannot be done here."}.get(status, "This does not work.")
        machine = request.url.path.startswith("/api/")
        response = refused(site, _visit(site, request), Refusal(status, reason), machine=machine)
        if status == 405:
            headers["Allow"] = ", ".join(sorted(_allowed(request.app.routes, _from_the_top(request))))
        response.headers.update(headers)
        return response

    return answer


def _from_the_top(request: Request) -> Scope:
    """A mount has been passed already, and the place is looked up from the beginning."""
    return {"type": "http", "path": request.scope["path"], "method": request.method}


def _allowed(routes: Iterable[BaseRoute], scope: Scope) -> set[str]:
    """What the place can do; several routes may stand for it, a method each."""
    found: set[str] = set()
    for route in routes:
        match, more = route.matches(scope)
        if isinstance(route, Mount) and match is Match.FULL:
            found |= _allowed(route.routes, dict(scope) | dict(more))
        elif isinstance(route, Route) and match is Match.PARTIAL:
            found |= route.methods or set()
    return found
