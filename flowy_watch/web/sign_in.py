"""Signing in and out."""

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response

from flowy_watch.core.usage import clean_name
from flowy_watch.web.door import COOKIE
from flowy_watch.web.identity import SESSION_LIVES
from flowy_watch.web.visit import Refusal, Visit

if TYPE_CHECKING:
    from flowy_watch.web.site import Site


def ask(site: "Site", visit: Visit) -> Response:
    return _form(site, visit)


def _form(site: "Site", visit: Visit, *, refusal: Refusal | None = None) -> Response:
    status = refusal.status if refusal else 200
    headers = {"retry-after": str(refusal.retry_after)} if refusal and refusal.retry_after else {}
    target = own_path(visit.form.get("next") or visit.query.get("next") or "/")
    wrong = refusal.reason if refusal else ""
    with_token = site.identity.has_tokens
    return site.page(
        "sign_in.html.j2", visit, status=status, headers=headers, target=target, wrong=wrong, with_token=with_token
    )


def by_token(site: "Site", visit: Visit) -> Response:
    name = clean_name(visit.form.get("name", ""))[:60]
    try:
        session = site.identity.sign_in_by_token(
            visit.form.get("token", ""), name, address=visit.address, now=visit.now
        )
    except Refusal as refusal:
        return _form(site, visit, refusal=refusal)
    return _let_in(visit, session, own_path(visit.form.get("next", "/")))


def offer(site: "Site", visit: Visit) -> Response:
    """A button and not a sign-in by itself: programs that look at links before people do would use it up."""
    return site.page("login.html.j2", visit)


def by_link(site: "Site", visit: Visit) -> Response:
    session = site.identity.sign_in_by_link(visit.places["code"], address=visit.address, now=visit.now)
    return _let_in(visit, session, "/")


def out(site: "Site", visit: Visit) -> Response:
    site.identity.sign_out(visit.session)
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=visit.secure)
    return response


def _let_in(visit: Visit, session: str, target: str) -> Response:
    response = RedirectResponse(target, 303)
    response.set_cookie(
        COOKIE,
        session,
        max_age=int(SESSION_LIVES.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=visit.secure,
    )
    return response


def own_path(target: str) -> str:
    """A path of ours and nothing else: `//elsewhere` and `/\\elsewhere` lead away."""
    good = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isascii() and target.isprintable()
    return target if good else "/"
