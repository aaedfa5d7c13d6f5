"""The usage contract this product assumes (Flowy documents none), answered for an owner's token."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flowy_watch.clock import Clock
from flowy_watch.simulator.answer import Truncated, answer, bearer, refusal, spoilt
from flowy_watch.simulator.credits import as_number
from flowy_watch.simulator.faults import Fault, FaultKind, Faults
from flowy_watch.simulator.key import Key, Quota
from flowy_watch.simulator.refusal import Refused
from flowy_watch.simulator.world import World

DEFAULT_PAGE, LARGEST_PAGE = 100, 1000
OWNER_RATE_LIMIT = 600  # told in the headers, never enforced
CURSOR = "after-"


class UsageApi:
    def __init__(self, world: World, clock: Clock, faults: Faults, *, owner_token: str) -> None:
        self._world = world
        self._clock = clock
        self._faults = faults
        self._owner_token = owner_token
        self._frozen: dict[str, object] = {}
        self._requests: tuple[int, int] = (0, 0)

    def routes(self) -> list[Route]:
        return [
            Route("/workspace", self.endpoint),
            Route("/keys", self.endpoint),
            Route("/keys/{key_id}/revoke", self.endpoint, methods=["POST"]),
        ]

    async def endpoint(self, request: Request) -> Response:
        now = self._clock.now()
        self._world.advance(now)
        fault = self._faults.take_usage()
        date, quota = now + self._faults.date_skew, self._quota(now)
        if fault and (response := spoilt(fault, now=date, quota=quota)):
            return response
        try:
            self._authorise(request)
            content = self._content(request, fault, now=now)
        except Refused as refused:
            return refusal(refused, now=date, quota=quota)
        response = answer(200, content, now=date, quota=quota)
        return Truncated(response) if fault and fault.kind is FaultKind.TRUNCATED else response

    def _authorise(self, request: Request) -> None:
        if not secrets.compare_digest((bearer(request) or "").encode(), self._owner_token.encode()):
            raise Refused(401, "An owner's or editor's token is needed")

    def _content(self, request: Request, fault: Fault | None, *, now: datetime) -> object:
        if fault is None or fault.kind is not FaultKind.FROZEN:
            self._frozen.clear()
            return self._fresh(request, fault, now=now)
        asked = f"{request.method} {request.url}"
        if asked not in self._frozen:
            self._frozen[asked] = self._fresh(request, fault, now=now)
        return self._frozen[asked]

    def _fresh(self, request: Request, fault: Fault | None, *, now: datetime) -> object:
        if request.method == "POST":
            key = self._world.revoke(request.path_params["key_id"], now)
            return {"data": {"id": key.id, "status": key.status}}
        with self._world.at(now):
            if request.url.path.endswith("/keys"):
                return self._page(request, fault)
            world = self._world
            return {"data": {"id": world.id, "name": world.name, "creditBalance": as_number(world.balance)}}

    def _page(self, request: Request, fault: Fault | None) -> object:
        kind, keys, cursor = fault and fault.kind, self._world.keys, request.query_params.get("cursor")
        limit, first = _limit(request.query_params.get("limit")), _position(cursor)
        if kind is FaultKind.EMPTY_LIST:
            return {"data": [], "nextCursor": None}
        if kind in (FaultKind.HALF_LIST, FaultKind.REPEATED_CURSOR):
            limit = min(limit, max(1, len(keys) // 2))
        if kind is FaultKind.HALF_LIST and cursor:
            raise Refused(500, "Something went wrong")
        if kind is FaultKind.REPEATED_CURSOR:
            return _listing(keys[:limit], next_at=limit)
        after = first + limit
        return _listing(keys[first:after], next_at=after if after < len(keys) else None)

    def _quota(self, now: datetime) -> Quota:
        minute = int(now.timestamp()) // 60
        used = self._requests[1] + 1 if self._requests[0] == minute else 1
        self._requests = (minute, used)
        return Quota(OWNER_RATE_LIMIT, max(0, OWNER_RATE_LIMIT - used), (minute + 1) * 60)


def _listing(keys: Sequence[Key], *, next_at: int | None) -> dict[str, object]:
    return {"data": [_entry(key) for key in keys], "nextCursor": None if next_at is None else f"{CURSOR}{next_at}"}


def _entry(key: Key) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "status": key.status,
        "createdAt": key.created_at,
        "lastUsedAt": key.last_used_at,
        "dailySpendCap": None if key.daily_cap is None else as_number(key.daily_cap),
        "rateLimitPerMinute": key.rate_limit,
        "spentToday": as_number(key.spent_today),
    }


def _limit(asked: str | None) -> int:
    if asked is None:
        return DEFAULT_PAGE
    if not asked.isdecimal() or not int(asked):
        raise Refused(400, "limit must be a whole number above 0")
    return min(int(asked), LARGEST_PAGE)


def _position(cursor: str | None) -> int:
    if not cursor:
        return 0
    position = cursor.removeprefix(CURSOR)
    if position == cursor or not position.isdecimal():
        raise Refused(400, "Unknown cursor")
    return int(position)
