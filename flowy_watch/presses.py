"""What is done when somebody presses a button: the same as on the command line, by the same actions."""

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flowy_watch import actions
from flowy_watch.core.alert import Status
from flowy_watch.core.press import Press, Until, Verb
from flowy_watch.core.route import Telling
from flowy_watch.core.silence import Silence, limit
from flowy_watch.core.usage import DAY, next_reset
from flowy_watch.core.words import credit_words, person_words
from flowy_watch.errors import NotFound
from flowy_watch.ledger import Ledger
from flowy_watch.store import Store

_WHY = "pressed in Slack"
_FRIDAY, _EVENING = 4, 18


def pressed(
    store: Store,
    press: Press,
    *,
    telling: Telling,
    timezone: ZoneInfo,
    open_ledger: Callable[[], Ledger],
    now: datetime,
) -> str:
    """Do what is wanted; what comes back is for whoever pressed, where no message will show what was done.

    Committed when this returns. Raises NotFound for an alert that is over or was never there.
    """
    number = press.alert_id
    with store.read() as work:
        alert = work.alerts.get(number)
    if alert is None or alert.status is Status.RESOLVED:
        over = f"alert {number} is over already" if alert else f"there is no alert {number}"
        raise NotFound(f"{over}; nothing is left to be done about it.")
    if press.verb is Verb.ACKNOWLEDGE:
        actions.acknowledge(store, number, by=press.by, why=_WHY, until=None, telling=telling, now=now)
    elif press.verb is Verb.SILENCE:
        actions.silence_alert(store, number, until=now + DAY, by=press.by, why=_WHY, telling=telling, now=now)
    elif press.verb is Verb.STOP and alert.finding.key_id:
        actions.report_stop(store, number, by=press.by, why=_WHY, telling=telling, now=now)
    elif press.verb is Verb.BLOCK and alert.finding.meter_key:
        return _block(store, press, alert.finding.meter_key, open_ledger(), telling=telling, now=now)
    elif press.verb is Verb.EXPECT and alert.finding.key_id:
        until = end_of(press.until, timezone=timezone, now=now)
        made, taken = actions.expect(
            store, alert.finding.key_id, until=until, at_most=None, by=press.by, why=_WHY, telling=telling, now=now
        )
        if number not in {each.id for each in taken}:
            return f"Noted until {until:%Y-%m-%d %H:%M} UTC. Alert {number} itself cannot be expected: acknowledge it."
        return _expected(made)
    return ""


def _expected(made: Silence) -> str:
    """How much is expected, and how to say another amount."""
    end = f"{made.until:%Y-%m-%d %H:%M} UTC"
    if made.credits_at_most is None:
        return f"Expected until {end}, whatever it spends: nothing tells what is usual for it."
    return (
        f"Expected until {end}, up to {credit_words(made.credits_at_most)} credits a UTC day; beyond"
        f" {credit_words(limit(made.credits_at_most))} you are told. For another amount:"
        " `flowy-watch expect KEY --until TIME --credits N`."
    )


def _block(store: Store, press: Press, key: str, ledger: Ledger, *, telling: Telling, now: datetime) -> str:
    try:
        done = actions.block(store, ledger, key, by=press.by, why=_WHY, telling=telling, now=now)
    finally:
        ledger.close()
    since = "" if done.new else f" already, by {person_words(done.block.by)}"
    return (
        f"Blocked at the meter{since}: {done.words}. What does not pass through the meter goes on: revoke it in Flowy"
        " too. `flowy-watch unblock` lets it through again."
    )


def end_of(until: Until, *, timezone: ZoneInfo, now: datetime) -> datetime:
    """The instant that a choice means now."""
    if until is Until.MIDNIGHT:
        return next_reset(now)
    if until is Until.DAY:
        return now + DAY
    local = now.astimezone(timezone)
    friday = local + timedelta(days=(_FRIDAY - local.weekday()) % 7)
    evening = friday.replace(hour=_EVENING, minute=0, second=0, microsecond=0)
    if evening <= local:
        evening += timedelta(days=7)
    return evening.astimezone(now.tzinfo)
