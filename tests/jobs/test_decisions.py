"""Whatever happens in whatever order: every decision is explained, none is missing and none is made twice.

A few hundred decisions; `DECISIONS=10000 pytest tests/jobs/test_decisions.py` makes as many, and `SEED=1` others.
"""

import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from flowy_watch.core.usage import KeyStatus
from flowy_watch.jobs import send
from flowy_watch.store import Store
from tests.builders import HOUR, MINUTE

from .decisions import NAMES, ODD, Life

DECISIONS = int(os.environ.get("DECISIONS", "200"))
SEED = os.environ.get("SEED")
STEPS = 50
keys = st.sampled_from(sorted(NAMES))
spans = st.sampled_from([MINUTE, 5 * MINUTE, 10 * MINUTE, 35 * MINUTE, 2 * HOUR + MINUTE, 7 * HOUR, 26 * HOUR])
places = st.sampled_from(["ops", "mail", "pager"])


def machine(store_of: Callable[[], Store], ended: Callable[[Life], None]) -> type[RuleBasedStateMachine]:
    class Decisions(RuleBasedStateMachine):
        """Each step is something that happens to the workspace, its people or its channels."""

        @initialize(seed=st.integers(0, 2**16))
        def begins(self, seed: int) -> None:
            self.life = Life(store_of(), seed)

        @rule(span=spans)
        def passes(self, span: timedelta) -> None:
            self.life.wait(span)
            self.life.poll()

        @rule(key=keys, amount=st.sampled_from([1, 40, 80, 96]), span=spans)
        def spends(self, key: str, amount: int, span: timedelta) -> None:
            self.life.wait(span)
            self.life.spend(key, amount)
            self.life.poll()

        @rule(key=keys, kind=st.sampled_from(sorted(ODD)), level=st.integers(0, 2), span=spans)
        def looks_odd(self, key: str, kind: str, level: int, span: timedelta) -> None:
            self.life.wait(span)
            odd = self.life.script.keys[key].odd
            odd.pop(kind, None)
            if level:
                odd[kind] = ODD[kind][min(level, len(ODD[kind])) - 1]
            self.life.poll()

        @rule(key=keys, kind=st.sampled_from(["cap", "spike"]), times=st.integers(2, 8), every=st.integers(1, 40))
        def wobbles(self, key: str, kind: str, times: int, every: int) -> None:
            one = self.life.script.keys[key]
            for n in range(times):
                self.life.wait(every * MINUTE)
                if kind == "cap":
                    self.life.cap(key, 100 if n % 2 else 1000)
                elif one.odd.pop("spike", None) is None:
                    one.odd["spike"] = 2
                self.life.poll()

        @rule(level=st.sampled_from([0, 1, 3]), span=spans)
        def purse(self, level: int, span: timedelta) -> None:
            self.life.wait(span)
            self.life.script.purse = level
            self.life.poll()

        @rule(key=keys, status=st.sampled_from([KeyStatus.ACTIVE, KeyStatus.REVOKED]))
        def is_revoked(self, key: str, status: KeyStatus) -> None:
            self.life.wait(MINUTE)
            self.life.script.keys[key].status = status
            self.life.poll()

        @rule(times=st.integers(1, 5), span=spans)
        def cannot_see(self, times: int, span: timedelta) -> None:
            for _ in range(times):
                self.life.wait(span)
                self.life.poll_in_vain()

        @rule(key=keys, balance=st.booleans(), span=spans)
        def sees_a_part(self, key: str, balance: bool, span: timedelta) -> None:
            self.life.wait(span)
            self.life.poll(unlisted=[key], balance=balance)

        @rule(
            what=st.sampled_from(["ack", "silence", "expect", "revoked", "resolve", "dismiss"]), number=st.integers(0)
        )
        def somebody_acts(self, what: str, number: int) -> None:
            if alerts := self.life.unresolved():
                self.life.act(what, alerts[number % len(alerts)])

        @rule(
            pattern=st.sampled_from(["*", "render", "v*", "key_3"]),
            span=spans,
            kind=st.sampled_from(["", "", "cap", "spike"]),
        )
        def somebody_silences(self, pattern: str, span: timedelta, kind: str) -> None:
            self.life.silence(pattern, span, kind)

        @rule()
        def somebody_unsilences(self) -> None:
            self.life.unsilence()

        @rule(place=places, weather=st.sampled_from(["fine", "down", "doubtful", "refusing"]))
        def weather(self, place: str, weather: str) -> None:
            self.life.places[place].weather = weather

        @rule()
        def is_delivered(self) -> None:
            self.life.deliver()

        @rule(back=st.sampled_from([MINUTE, HOUR]))
        def clock_goes_back(self, back: timedelta) -> None:
            self.life.clock.at -= back
            self.life.poll()

        @rule()
        def restarts(self) -> None:
            self.life.restart()

        def teardown(self) -> None:
            if hasattr(self, "life"):
                self.life.end()
                ended(self.life)

    return Decisions


@pytest.mark.slow
def test_every_decision_is_explained_none_is_missing_and_none_is_made_twice(
    migrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, stores = [0], []

    def store_of() -> Store:
        monkeypatch.setattr(send, "_dice", Random(7))
        while stores:
            stores.pop().close()
        file = tmp_path / "watch.db"
        for old in tmp_path.glob("watch.db*"):
            old.unlink()
        shutil.copy(migrated, file)
        stores.append(Store(f"sqlite:///{file}"))
        return stores[-1]

    def ended(life: Life) -> None:
        made[0] += life.decisions()

    with_many = settings(
        max_examples=max(DECISIONS // 40, 5),
        stateful_step_count=STEPS,
        derandomize=SEED is None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    try:
        decisions = machine(store_of, ended)
        run_state_machine_as_test(seed(int(SEED))(decisions) if SEED else decisions, settings=with_many)
    finally:
        while stores:
            stores.pop().close()
    assert made[0] >= DECISIONS
