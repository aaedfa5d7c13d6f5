"""Whether a counter read right after 00:00 UTC is still yesterday's."""

from datetime import timedelta

from flowy_watch.core.history import History
from flowy_watch.core.usage import Snapshot, day_of, day_start

_HOUR = timedelta(hours=1)
BELIEVED_AFTER = timedelta(minutes=30)
"""Of a day; later the same figure can be honest."""

_TIMES_AS_FAST = 2  # as in its last hour a key may have spent on since
_OUT_OF_REACH = 20  # times its pace: what a key cannot have spent since 00:00 without burning, whatever it shows
_A_LITTLE = 4  # a quarter of yesterday's


def stale_counter(history: History, now: Snapshot) -> bool:
    """Whether `now` repeats yesterday's counter, or goes on with it: a cache or a late reset, not a day's spend.

    A key that was not used today by its `last_used_at` can only have spent what runs of yesterday still cost; at or a
    little above yesterday's figure, it shows that. A key that was used, or does not tell, must have been spending
    before: it is stale when it grew as it did in its last hour, to a figure that today's minutes are too few for. A
    leak that starts at midnight passes through that narrow band in one poll at most.
    """
    before, midnight = history.latest, day_start(day_of(now.taken_at))
    since_midnight = now.taken_at - midnight
    if before.taken_at >= midnight or since_midnight >= BELIEVED_AFTER:
        return False
    if not now.spent or not before.spent or now.spent < before.spent:
        return False
    grown, pace = now.spent - before.spent, history.per_hour(_HOUR)
    as_before = grown <= _TIMES_AS_FAST * pace * ((now.taken_at - before.taken_at) / _HOUR)
    if now.last_used_at is not None and now.last_used_at < midnight:
        return as_before or grown * _A_LITTLE <= before.spent
    return pace > 0 and as_before and before.spent >= _OUT_OF_REACH * pace * (since_midnight / _HOUR)
