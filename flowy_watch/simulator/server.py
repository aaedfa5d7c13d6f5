"""The simulated Flowy on a loopback port, in a thread of its own."""

import socket
import threading
from types import TracebackType

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount

from flowy_watch.clock import Clock
from flowy_watch.simulator.answer import answer, bearer
from flowy_watch.simulator.faults import Faults
from flowy_watch.simulator.public_api import PublicApi
from flowy_watch.simulator.usage_api import UsageApi
from flowy_watch.simulator.world import World

BASE_PATH = "/genstudio-svc-v2/api/v1"
OWNER_TOKEN = "owner-token-of-the-simulator"  # noqa: S105  # guards a simulation


def build_api(world: World, clock: Clock, faults: Faults, *, owner_token: str = OWNER_TOKEN) -> Starlette:
    async def elsewhere(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        reason = "Not found" if status == 404 else "Method not allowed"
        now = clock.now()
        return answer(status, {"error": reason}, now=now, quota=world.quota(bearer(request), now))

    public = PublicApi(world, clock, faults)
    usage = UsageApi(world, clock, faults, owner_token=owner_token)
    routes = Mount(BASE_PATH, routes=[*public.routes(), *usage.routes()])
    return Starlette(routes=[routes], exception_handlers={HTTPException: elsewhere})


class SimulatorServer:
    """Serves from `with` to its end; the port is taken at once, so a client may connect without waiting.

    `port` 0 takes any free one. Closing hangs up on whoever is still connected.
    """

    def __init__(
        self,
        world: World,
        clock: Clock,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        owner_token: str = OWNER_TOKEN,
        faults: Faults | None = None,
    ) -> None:
        self.world = world
        self.clock = clock
        self.owner_token = owner_token
        self.faults = faults or Faults()
        self._address = (host, port)
        self._thread: threading.Thread | None = None
        config = uvicorn.Config(
            build_api(world, clock, self.faults, owner_token=owner_token),
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            date_header=False,
            server_header=False,
        )
        self._server = uvicorn.Server(config)

    @property
    def base_url(self) -> str:
        host, port = self._address
        return f"http://{host}:{port}{BASE_PATH}"

    def open(self) -> None:
        """Raises OSError when the port is taken."""
        listener = _listen(self._address)
        self._address = listener.getsockname()
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="simulator", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        for connection in list(self._server.server_state.connections):
            connection.loop.call_soon_threadsafe(connection.transport.abort)
        if self._thread:
            self._thread.join()

    def __enter__(self) -> "SimulatorServer":
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _listen(address: tuple[str, int]) -> socket.socket:
    # Named TCP, or asyncio leaves Nagle's algorithm on and every answer takes 40 ms
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener
