"""The simulated workspace: who may start a run, what it costs, and what everybody else does meanwhile."""

import heapq
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from typing import TypeAlias

from flowy_watch.simulator.app import App, Owner
from flowy_watch.simulator.credits import Credits, Microcredits, TopUp, microcredits
from flowy_watch.simulator.key import DEFAULT_RATE_LIMIT, UNAUTHORIZED, Key, Quota, Status, instant
from flowy_watch.simulator.profile import DAY
from flowy_watch.simulator.refusal import Refused
from flowy_watch.simulator.run import Run, RunStatus
from flowy_watch.simulator.traffic import HOUR, LOOK_AROUND, Stream, Traffic, mixed, weekday

FAILS_ONE_IN = 40
MONDAY, NINE = 0, 9

Action: TypeAlias = Callable[[datetime], None]


class World:
    """One workspace, its keys, apps and runs, at one instant; time moves forward only, by `now`.

    Every public method first lets the traffic up to `now` happen, then does its work, under one lock. Background
    traffic counts requests and spends credits as anybody's does, but leaves no Run to read, and its callers never
    have too many runs at once. Keys are named by id or by name, amounts given in credits.
    """

    def __init__(
        self,
        *,
        workspace: tuple[str, str],
        keys: Iterable[Key],
        apps: Mapping[str, App],
        streams: Iterable[Stream],
        balance: Microcredits,
        usual_daily_spend: Microcredits,
        top_up: TopUp | None,
        start: datetime,
    ) -> None:
        """The keys have spent nothing on the UTC day of `start` before it: begin at midnight, then advance."""
        self.id, self.name = workspace
        self.balance = balance
        self.usual_daily_spend = usual_daily_spend
        self.keys = list(keys)
        self.apps = dict(apps)
        self.run_counts: Counter[str] = Counter()
        self.runs: dict[str, Run] = {}
        self.now = start
        self._keys = {word: key for key in self.keys for word in (key.id, key.name)}
        self._by_secret = {key.secret: key for key in self.keys}
        self._unfinished: dict[str, list[Run]] = {}
        self._top_up = top_up
        self._agenda: list[tuple[datetime, int, Action]] = []
        self._order = count()
        self._lock = threading.RLock()
        self._traffic = Traffic(streams, _second(start))

    # -- time ----------------------------------------------------------------------------------------------------

    def advance(self, now: datetime) -> None:
        """Let everything up to `now` happen; an instant already passed changes nothing."""
        with self._lock:
            while self._agenda and self._agenda[0][0] <= now:
                at, _, action = heapq.heappop(self._agenda)
                self._pass_time(max(at, self.now))
                action(self.now)
            self._pass_time(max(now, self.now))

    def schedule(self, at: datetime, action: Action) -> None:
        """Call `action` with the time when it is reached, after the traffic of that second."""
        with self._lock:
            heapq.heappush(self._agenda, (at, next(self._order), action))

    def add_stream(self, stream: Stream) -> None:
        """More traffic from this instant on, such as a thief's."""
        with self._lock:
            self._traffic.add(stream)

    @contextmanager
    def at(self, now: datetime) -> Iterator[None]:
        """Hold the world at this instant, for reading several things that belong together."""
        with self._lock:
            self.advance(now)
            yield

    def _pass_time(self, now: datetime) -> None:
        self.now, second = now, _second(now)
        while self._traffic.hour < second // HOUR:
            self._serve((self._traffic.hour + 1) * HOUR - 1)
            self._begin_hour(self._traffic.hour + 1)
        self._serve(second)

    def _begin_hour(self, hour: int) -> None:
        self._traffic.begin_hour(hour)
        day, hour_of_day = divmod(hour, DAY)
        if hour_of_day == 0:
            for key in self.keys:
                key.start_day()
        top_up = self._top_up
        if top_up and hour_of_day == NINE and weekday(day) == MONDAY and self.balance < top_up.below:
            self.balance += top_up.package

    def _serve(self, until: int) -> None:
        for second, place, app_id in self._traffic.due(until):
            key = self.keys[place]
            try:
                key.admit(instant(second), second)
                if app_id != LOOK_AROUND:
                    self._charge(key, self.apps[app_id])
            except Refused:
                key.refused_today += 1

    # -- what a key may do ---------------------------------------------------------------------------------------

    def admit(self, secret: str | None, now: datetime) -> Key:
        """Count one request. Raises Refused: 401 for a key that is not valid, 429 over its requests per minute."""
        with self.at(now):
            key = self._by_secret.get(secret or "")
            if key is None:
                raise Refused(401, UNAUTHORIZED)
            try:
                key.admit(self.now, _second(self.now))
            except Refused:
                key.refused_today += 1
                raise
            return key

    def quota(self, secret: str | None, now: datetime) -> Quota:
        """A stranger is told the default limit."""
        with self.at(now):
            key, second = self._by_secret.get(secret or ""), _second(self.now)
            if key is None:
                return Quota(DEFAULT_RATE_LIMIT, DEFAULT_RATE_LIMIT, (second // 60 + 1) * 60)
            return key.quota(second)

    def app(self, app_id: str) -> App:
        found = self.apps.get(app_id)
        if found is None or not found.visible:
            raise Refused(404, "App not found")
        return found

    def own_apps(self) -> list[App]:
        return [app for app in self.apps.values() if app.owner is Owner.WORKSPACE]

    def run(self, run_id: str) -> Run:
        if run_id not in self.runs:
            raise Refused(404, "Run not found")
        return self.runs[run_id]

    def start_run(self, secret: str | None, app_id: str, inputs: Mapping[str, object] | None, now: datetime) -> Run:
        """Charge the key and the workspace for one run, both or neither; a run that fails later stays charged.

        Raises Refused: 401 key, 404 app, 400 inputs, 429 requests per minute or runs at once, 402 daily cap or balance.
        """
        with self.at(now):
            key = self.admit(secret, now)
            try:
                app = self.app(app_id)
                if inputs is None:
                    raise Refused(400, "inputs must be an object")
                if missing := app.missing(inputs):
                    raise Refused(400, f"Missing inputs: {', '.join(missing)}")
                running = self._running(key)
                self._charge(key, app)
            except Refused:
                key.refused_today += 1
                raise
            run = self._new_run(key, app)
            self.runs[run.id] = run
            self._unfinished[key.id] = [*running, run]
            return run

    def _running(self, key: Key) -> list[Run]:
        running = [run for run in self._unfinished.get(key.id, ()) if self.now < run.ends_at]
        if len(running) >= key.concurrent_limit:
            wait = min(run.ends_at for run in running) - self.now
            raise Refused(429, "Too many concurrent runs for this API key", retry_after=wait)
        return running

    def _charge(self, key: Key, app: App) -> None:
        if self.balance < app.price:
            raise Refused(402, "The workspace is out of credits")
        key.spend(app.price)
        self.balance -= app.price
        self.run_counts[app.id] += 1

    def _new_run(self, key: Key, app: App) -> Run:
        bits = mixed(len(self.runs) + 1)
        ends_as = RunStatus.COMPLETED if bits % FAILS_ONE_IN else RunStatus.FAILED
        return Run(f"run_{bits:016x}", app, key.id, app.price, self.now, ends_as)

    # -- what an owner may do ------------------------------------------------------------------------------------

    def key(self, key_id: str) -> Key:
        """By id or by name."""
        if key_id not in self._keys:
            raise Refused(404, "API key not found")
        return self._keys[key_id]

    def create_key(self, key: Key, now: datetime) -> Key:
        with self.at(now):
            self.keys.append(key)
            self._keys |= {key.id: key, key.name: key}
            self._by_secret[key.secret] = key
            return key

    def revoke(self, key_id: str, now: datetime) -> Key:
        return self.set_status(key_id, Status.REVOKED, now)

    def set_status(self, key_id: str, status: Status, now: datetime) -> Key:
        with self.at(now):
            key = self.key(key_id)
            key.status = status
            return key

    def set_cap(self, key_id: str, cap: Credits | None, now: datetime) -> None:
        with self.at(now):
            self.key(key_id).daily_cap = None if cap is None else microcredits(cap)

    def set_rate_limit(self, key_id: str, per_minute: int | None, now: datetime) -> None:
        with self.at(now):
            self.key(key_id).rate_limit = per_minute

    def top_up(self, amount: Credits, now: datetime) -> None:
        with self.at(now):
            self.balance += microcredits(amount)

    def set_balance(self, balance: Credits, now: datetime) -> None:
        with self.at(now):
            self.balance = microcredits(balance)

    def stop_topping_up(self, now: datetime) -> None:
        with self.at(now):
            self._top_up = None


def _second(at: datetime) -> int:
    return int(at.timestamp())
