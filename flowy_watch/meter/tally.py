"""Counting what was answered, until the writer takes it to the ledger."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from flowy_watch.ledger import NO_KEY, OTHER, Batch, Counts, Outcome, Price, bucket_of, fingerprint_of
from flowy_watch.ledger.batch import BUCKET, MOST_ORIGINS, MOST_RUNS, KeySeen, RunEnded, RunStarted, Seen
from flowy_watch.meter.config import EVERY_OTHER, NO_RULES, KeyRules, MeterConfig
from flowy_watch.meter.errand import Errand

_SHORTEST = 16  # of a secret; shorter ones are no keys, and could be guessed from their fingerprint
# What anybody can make up is told apart up to here, and counted together beyond; what Flowy accepted has more room.
_MOST_STRANGERS, _MOST_KEYS = 200, 5000
_MOST_STRANGE_APPS, _MOST_APPS = 50, 500  # of a key
_BEARER = re.compile(rb"\s*bearer\s+([^\s,]+)", re.IGNORECASE)
_BUCKET = timedelta(seconds=BUCKET)


@dataclass(slots=True)
class Key:
    """A key that was seen since the start; never its secret."""

    fingerprint: str
    counted_as: str
    """Its fingerprint, or one for many."""
    last_four: str = ""
    rules: KeyRules = NO_RULES
    accepted: bool = False
    """Flowy answered it with something else than 401."""
    apps: set[str] = field(default_factory=set)
    """Of which runs were accepted; and those of which none was."""
    strange_apps: set[str] = field(default_factory=set)


class Tally:
    """For the event loop's thread alone. Bounded, whatever clients send."""

    def __init__(self, config: MeterConfig) -> None:
        self._rules_of = config.rules_of
        self._keys: dict[str, Key] = {}
        self._strangers = 0
        self.nobody = Key(NO_KEY, NO_KEY)
        self.prices: Mapping[str, Price] = {}
        """By app; `*` is every other one."""
        self._batch = Batch()
        self._bucket = datetime.fromtimestamp(0, UTC)
        self._until = self._bucket

    def take(self) -> Batch:
        """What was counted since the last call."""
        batch, self._batch = self._batch, Batch()
        return batch

    def key_of(self, authorization: bytes | None) -> Key:
        match = _BEARER.match(authorization) if authorization else None
        if not match or len(secret := match[1]) < _SHORTEST:
            return self.nobody
        fingerprint = fingerprint_of(secret)
        key = self._keys.get(fingerprint)
        if key is None:
            last_four = secret[-4:].decode("ascii", "replace")
            key = Key(fingerprint, fingerprint, last_four, self._rules_of(fingerprint, last_four))
            if self._strangers < _MOST_STRANGERS and len(self._keys) < _MOST_KEYS:
                self._strangers += 1
                self._keys[fingerprint] = key
            else:
                key.counted_as = OTHER
        return key

    def know(self, fingerprint: str, last_four: str) -> None:
        """A key that was accepted before the start."""
        rules = self._rules_of(fingerprint, last_four)
        self._keys[fingerprint] = Key(fingerprint, fingerprint, last_four, rules, accepted=True)

    def _accepted(self, key: Key) -> None:
        key.accepted = True
        if key.counted_as == OTHER:
            if len(self._keys) < _MOST_KEYS:
                key.counted_as = key.fingerprint
                self._keys[key.fingerprint] = key
        elif key is not self.nobody:
            self._strangers -= 1

    def price_of(self, app_id: str) -> Price | None:
        return self.prices.get(app_id) or self.prices.get(EVERY_OTHER)

    def answered(self, key: Key, errand: Errand, status: int, origin: tuple[str, str], now: datetime) -> None:
        """The upstream began to answer; `origin` is address and user agent."""
        if status != 401 and not key.accepted:
            self._accepted(key)
        run = status == 202 and errand.app_id != ""
        if run and errand.app_id not in key.apps and len(key.apps) < _MOST_APPS:
            key.apps.add(errand.app_id)
            key.strange_apps.discard(errand.app_id)
        counts = self._counts(key, errand.app_id, now)
        counts.requests += 1
        if run:
            self._run(counts, key, errand.app_id, now)
        elif status == 401:
            counts.answers_401 += 1
        elif status == 402:
            counts.answers_402 += 1
        elif status == 429:
            counts.answers_429 += 1
        elif status >= 500:
            counts.answers_5xx += 1
        if key.counted_as != key.fingerprint or key is self.nobody:
            return
        seen = self._batch.keys.get(key.fingerprint)
        if seen is None:
            seen = self._batch.keys[key.fingerprint] = KeySeen(now, key.last_four, key.rules.name)
        if status == 401:
            seen.refused_at = now
            return  # an origin or an app that was refused used nothing
        seen.used_at = now
        self._see_origin(key, origin, run, now)

    def unanswered(self, key: Key, errand: Errand, now: datetime) -> None:
        self._counts(key, errand.app_id, now).unanswered += 1

    def stopped(self, key: Key, errand: Errand, status: int, now: datetime) -> None:
        """The guard answered in the upstream's place."""
        counts = self._counts(key, errand.app_id, now)
        if status == 401:
            counts.stopped_401 += 1
        elif status == 402:
            counts.stopped_402 += 1
        else:
            counts.stopped_429 += 1

    def run_started(self, key: Key, app_id: str, run_id: str, now: datetime) -> None:
        if len(self._batch.runs) < MOST_RUNS:
            self._batch.runs[run_id] = RunStarted(key.counted_as, app_id, now)

    def run_ended(self, run_id: str, outcome: Outcome, now: datetime) -> None:
        if len(self._batch.outcomes) < MOST_RUNS:
            self._batch.outcomes[run_id] = RunEnded(outcome, now)

    def _counts(self, key: Key, app_id: str, now: datetime) -> Counts:
        if not self._bucket <= now < self._until:
            self._bucket = bucket_of(now)
            self._until = self._bucket + _BUCKET
        if app_id and app_id not in key.apps and app_id not in key.strange_apps:
            if len(key.strange_apps) < _MOST_STRANGE_APPS:
                key.strange_apps.add(app_id)
            else:
                app_id = OTHER
        bucketed = (key.counted_as, self._bucket, app_id)
        counts = self._batch.counts.get(bucketed)
        if counts is None:
            counts = self._batch.counts[bucketed] = Counts()
        return counts

    def _run(self, counts: Counts, key: Key, app_id: str, now: datetime) -> None:
        counts.runs += 1
        price = self.price_of(app_id)
        if price:
            counts.spent += price.price
            counts.spent_low += price.low
            counts.spent_high += price.high
        else:
            counts.unpriced += 1
        apps = self._batch.apps
        seen = apps.get((key.counted_as, app_id))
        if seen is None:
            if app_id not in key.apps:
                app_id = OTHER
            seen = apps.setdefault((key.counted_as, app_id), Seen(now, now))
        seen.last_at = now
        seen.requests += 1
        seen.runs += 1

    def _see_origin(self, key: Key, origin: tuple[str, str], run: bool, now: datetime) -> None:
        origins = self._batch.origins
        where = (key.fingerprint, *origin)
        seen = origins.get(where)
        if seen is None:
            if len(origins) >= MOST_ORIGINS:
                where = (key.fingerprint, OTHER, OTHER)
            seen = origins.setdefault(where, Seen(now, now))
        seen.last_at = now
        seen.requests += 1
        seen.runs += run
