"""All that is served, and what its pages share."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.staticfiles import StaticFiles

from flowy_watch import __version__
from flowy_watch.app import App, build_renderer, telling_of
from flowy_watch.core.usage import day_of
from flowy_watch.web import api, digests, health, key_page, metrics, overview, pages, settings_page, sign_in
from flowy_watch.web.door import Frame, Page, elsewhere, known_host, opened
from flowy_watch.web.identity import Identity
from flowy_watch.web.look import STATIC, build_templates
from flowy_watch.web.visit import Person, Role, Visit
from flowy_watch.web.workers import Workers

_REMEMBERED = 8
_SNAPSHOTS_LIMIT = 8 * 1024 * 1024

log = structlog.get_logger()


class Site:
    """What every page is handed. Of the App it keeps only what pages may use: nothing here polls or sends."""

    def __init__(self, app: App) -> None:
        self.settings, self.store, self.clock = app.settings, app.store, app.clock
        self.telling, self._poll = telling_of(app.settings), app.poll
        self.identity = Identity(app.store, app.settings.web, speed=app.clock.speed)
        self.secure = app.settings.web.url.startswith("https://")
        public = urlsplit(app.settings.web.url).hostname
        self._hosts = frozenset({app.settings.web.host, *([public] if public else [])})
        self.renderer = build_renderer(app.settings)
        self._remembered: dict[Hashable, str] = {}
        self._making: dict[Hashable, Lock] = {}
        self._templates = build_templates(app.settings.workspace.zone)
        self.port = app.settings.web.port

    def poll_took(self) -> timedelta | None:
        return self._poll.took

    def give_way(self) -> None:
        """A page waits while a poll works, at every place that calls this; a second or two of each poll at most."""
        self._poll.give_way()

    def poll_works_for(self) -> float:
        """So many seconds at most a page still waits for the poll that works; 0 when none does."""
        return self._poll.works_for()

    def listens_on(self, port: int) -> None:
        self.port = port

    def known_host(self, host: str) -> bool:
        return known_host(host, self._hosts)

    def page(
        self, template: str, visit: Visit, *, status: int = 200, headers: Mapping[str, str] | None = None, **facts: Any
    ) -> Response:
        words = self.render(template, visit, **facts)
        return HTMLResponse(words, status, dict(headers or {}))

    def remembered(self, of: Hashable, make: Callable[[], str]) -> str:
        """What was made of the same facts a moment ago need not be made again: few pages are kept, the newest."""
        with self._making.setdefault(of, Lock()):  # two who ask at once: the second waits for what the first makes
            found = self._remembered.get(of)
            if found is None:
                found = make()
                while len(self._remembered) >= _REMEMBERED:
                    self._remembered.pop(next(iter(self._remembered)), None)
                self._remembered[of] = found
        self._making.pop(of, None)
        return found

    def warm_up(self) -> None:
        """Before anybody comes: the first page of a process would wait for templates and statements to be compiled."""
        try:
            self.give_way()
            for name in self._templates.list_templates(filter_func=lambda name: name.startswith("web/")):
                self._templates.get_template(name)
            visit = Visit("GET", "/", self.clock.now(), Person(Role.VIEWER))
            overview.show(self, visit)
            with self.store.read() as work:
                keys = [row.key_id for row in work.views.keys(day_of(visit.now))[:1]]
            for key_id in keys:
                key_page.show(self, replace(visit, path="/keys/…", places={"key": key_id}))
        except Exception as error:  # nobody asked for this: pages will be made all the same
            log.exception("web.not_warmed", error=type(error).__name__)

    def render(self, template: str, visit: Visit, **facts: Any) -> str:
        found = self._templates.get_template(f"web/{template}")
        parts = found.generate(
            visit=visit,
            person=visit.person,
            now=visit.now,
            workspace=self.settings.workspace.name or "Flowy Watch",
            version=__version__,
            may_act=visit.person.role >= Role.OPERATOR,
            **facts,
        )
        return "".join(self._unhurried(parts))

    def _unhurried(self, parts: Iterable[str]) -> Iterator[str]:
        """A page that is half made when a poll begins waits where it is."""
        for part in parts:
            self.give_way()
            yield part


def build_site(site: Site, workers: Workers) -> Starlette:
    page = partial(_route, site, workers)
    act = partial(_route, site, workers, needs=Role.OPERATOR, method="POST")
    routes: list[BaseRoute] = [
        Route("/healthz", health.alive),
        page("/readyz", health.ready, needs=Role.NOBODY, machine=True),
        page("/metrics", metrics.metrics, needs=Role.NOBODY, machine=True),
        page("/sign-in", sign_in.ask, needs=Role.NOBODY),
        page("/sign-in", sign_in.by_token, needs=Role.NOBODY, method="POST"),
        page("/login/{code}", sign_in.offer, needs=Role.NOBODY),
        page("/login/{code}", sign_in.by_link, needs=Role.NOBODY, method="POST"),
        page("/sign-out", sign_in.out, needs=Role.VIEWER, method="POST"),
        page("/", overview.show),
        page("/live", overview.live),
        page("/alerts", pages.alerts),
        page("/alerts/{alert}", pages.alert),
        act("/alerts/{alert}/ack", pages.acknowledge),
        act("/alerts/{alert}/stop", pages.stop),
        act("/alerts/{alert}/resolve", pages.resolve),
        page("/keys/{key:path}/hours.json", key_page.series, machine=True),
        page("/keys/{key:path}", key_page.show),
        page("/silences", pages.silences),
        act("/silences", pages.silence),
        act("/silences/{silence}/end", pages.unsilence),
        act("/expectations", pages.expect),
        act("/blocks", pages.block),
        act("/blocks/end", pages.unblock),
        page("/deliveries", pages.deliveries),
        page("/digests", digests.listed),
        page("/digests/{period}", digests.show),
        page("/digests/{period}/mail", digests.mailed),
        page("/digests/{period}/table", digests.table),
        page("/settings", settings_page.show),
        Mount("/api/v1", Router(_api(site, workers), redirect_slashes=False)),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Frame, site.known_host, site.poll_works_for)],
        exception_handlers={HTTPException: elsewhere(site)},
    )


def _api(site: Site, workers: Workers) -> list[BaseRoute]:
    read = partial(_route, site, workers, machine=True)
    act = partial(_route, site, workers, machine=True, needs=Role.OPERATOR, method="POST")
    return [
        read("/openapi.json", api.openapi, needs=Role.NOBODY),
        read("/status", api.status),
        read("/workspace", api.workspace),
        read("/keys", api.keys),
        read("/keys/{key:path}", api.key),
        read("/polls", api.polls),
        read("/deliveries", api.deliveries),
        read("/alerts", api.alerts),
        read("/alerts/{alert}", api.alert),
        act("/alerts/{alert}/ack", api.acknowledge),
        act("/alerts/{alert}/stop", api.stop),
        act("/alerts/{alert}/resolve", api.resolve),
        read("/small-anomalies", api.small),
        read("/silences", api.silences),
        act("/silences", api.silence),
        act("/silences/{silence}", api.unsilence, method="DELETE"),
        act("/expectations", api.expect),
        act("/blocks", api.block),
        act("/blocks/end", api.unblock),
        read("/digests", api.digests),
        read("/digests/{period}", api.digest),
        read("/digests/{period}/mail", api.digest_mail),
        act("/snapshots", api.push, limit=_SNAPSHOTS_LIMIT),
    ]


def _route(
    site: Site, workers: Workers, path: str, page: Page, *, needs: Role = Role.VIEWER, method: str = "GET", **more: Any
) -> Route:
    return Route(path, opened(site, workers, page, needs=needs, **more), methods=[method])
