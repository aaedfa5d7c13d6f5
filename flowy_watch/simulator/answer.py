"""HTTP answers in the shape of Flowy's, and those a broken Flowy gives."""

from datetime import datetime, timedelta
from email.utils import format_datetime
from math import ceil

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from flowy_watch.simulator.faults import Fault, FaultKind
from flowy_watch.simulator.key import Quota
from flowy_watch.simulator.refusal import Refused

GARBAGE = b"<html><body><h1>Bad gateway</h1></body></html>"


def bearer(request: Request) -> str | None:
    """The token of the Authorization header, None if it is missing or malformed."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def answer(
    status: int, content: object, *, now: datetime, quota: Quota, retry_after: timedelta | None = None
) -> Response:
    """`Date` carries the simulated time: a client that compares clocks must compare with that one."""
    body = content if isinstance(content, bytes) else orjson.dumps(content, option=orjson.OPT_UTC_Z)
    headers = {
        "Date": format_datetime(now, usegmt=True),
        "X-RateLimit-Limit": str(quota.limit),
        "X-RateLimit-Remaining": str(quota.remaining),
        "X-RateLimit-Reset": str(quota.resets_at),
    }
    if retry_after is not None:
        headers["Retry-After"] = str(max(1, ceil(retry_after.total_seconds())))
    return Response(body, status, headers, media_type="text/html" if body is GARBAGE else "application/json")


def refusal(refused: Refused, *, now: datetime, quota: Quota) -> Response:
    return answer(refused.status, {"error": refused.reason}, now=now, quota=quota, retry_after=refused.retry_after)


def spoilt(fault: Fault, *, now: datetime, quota: Quota) -> Response | None:
    """What the fault answers instead of anything else, None if it only changes the answer."""
    match fault.kind:
        case FaultKind.STATUS:
            failure = Refused(fault.status, "Something went wrong", retry_after=fault.retry_after)
            return refusal(failure, now=now, quota=quota)
        case FaultKind.GARBAGE:
            return answer(200, GARBAGE, now=now, quota=quota)
        case FaultKind.HANG:
            return Silence()
        case FaultKind.DROP:
            return Drop()
        case _:
            return None


class Truncated(Response):
    """Half of another answer's body, under the length of the whole."""

    def __init__(self, whole: Response) -> None:
        super().__init__()
        self.status_code, self.raw_headers, self.body = whole.status_code, whole.raw_headers, whole.body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        close_connection(receive, abort=False)
        await _disconnected(receive)


class Silence(Response):
    """Holds the connection until the client gives up or the server stops."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _disconnected(receive)


class Drop(Response):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        close_connection(receive, abort=True)
        await _disconnected(receive)


def close_connection(receive: Receive, *, abort: bool) -> None:
    """ASGI knows no way to hang up: uvicorn's own transport is reached through the method it gave us."""
    transport = receive.__self__.transport  # type: ignore[attr-defined]  # bound to uvicorn's request cycle
    if abort:
        transport.abort()
    else:
        transport.close()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
