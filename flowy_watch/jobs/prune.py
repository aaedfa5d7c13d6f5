"""Forgetting what is old: snapshots, delivered notices, small anomalies. Daily snapshots and alerts stay for good."""

from datetime import datetime, timedelta

import structlog

from flowy_watch.store import Store

_NOTICES_FOR = timedelta(days=180)
_DIGESTS_FOR = timedelta(days=7)

log = structlog.get_logger()


def prune(store: Store, *, retain: timedelta, now: datetime) -> tuple[int, int]:
    """Forget polls older than `retain` and old notices; returns how many of each."""
    with store.write() as work:
        polls, notices = (
            work.usage.prune(now - retain),
            work.outbox.prune(now - _NOTICES_FOR, digests_before=now - _DIGESTS_FOR),
        )
        work.small.prune(now - _NOTICES_FOR)
    log.info("pruned", polls=polls, notices=notices)
    return polls, notices
