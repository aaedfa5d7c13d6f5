"""The web server in a thread of the daemon's process: what happens here never stops the watch."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn

from flowy_watch.app import App
from flowy_watch.web.site import Site, build_site
from flowy_watch.web.workers import Workers

_WORKERS = 2  # each may hold one connection to the database
_PATIENCE = 15.0  # seconds
_MOST_CONNECTIONS = 100

log = structlog.get_logger()


@contextmanager
def beside(app: App) -> Iterator["WebServer | None"]:
    """Serve until the block ends, as `[web]` says. What goes wrong is one line in the log, and None."""
    if not app.settings.web.enabled:
        yield None
        return
    server = WebServer(app)
    try:
        server.open()
    except OSError as error:
        log.error(
            "web.refused", listen=app.settings.web.listen, reason=f"{error.strerror or error}; set another web.listen"
        )
        yield None
        return
    try:
        yield server
    finally:
        server.close()


class WebServer:
    """Serves from `open` to `close`; the port is taken at once, so a client may connect without waiting."""

    def __init__(self, app: App) -> None:
        self._settings = app.settings.web
        self._workers = Workers(_WORKERS, patience=_PATIENCE)
        self._port = self._settings.port
        self._thread: threading.Thread | None = None
        self.site = Site(app)
        self._server = uvicorn.Server(
            uvicorn.Config(
                build_site(self.site, self._workers),
                http="h11",
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=_MOST_CONNECTIONS,
                h11_max_incomplete_event_size=16_384,
            )
        )

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return f"http://{self._settings.listen.rpartition(':')[0]}:{self._port}"

    def open(self) -> None:
        """Raises OSError when the address cannot be listened on."""
        listener = _listen(self._settings.host, self._settings.port)
        self._port = listener.getsockname()[1]
        self.site.listens_on(self._port)
        self._workers.start()
        self._thread = threading.Thread(target=self._run, args=(listener,), name="web", daemon=True)
        self._thread.start()
        self._workers.soon(self.site.warm_up)
        log.info("web.ready", url=self.url)

    def _run(self, listener: socket.socket) -> None:
        try:
            self._server.run([listener])
        except Exception as error:  # the wrapper of this thread: the watch goes on without a dashboard
            log.exception("web.crashed", error=type(error).__name__)
        finally:
            listener.close()

    def close(self) -> None:
        """Hangs up on whoever is connected; does not wait for a page that hangs."""
        self._server.should_exit = self._server.force_exit = True
        for connection in list(self._server.server_state.connections):
            connection.loop.call_soon_threadsafe(connection.transport.abort)
        if self._thread:
            self._thread.join(2)
        self._workers.stop()


def _listen(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    # Named TCP, or asyncio leaves Nagle's algorithm on and every answer takes 40 ms
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener
