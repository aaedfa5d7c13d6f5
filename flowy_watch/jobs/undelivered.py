"""When a channel refuses for good, another one hears of it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from flowy_watch.core.bundle import Waiting
from flowy_watch.core.notification import UNDELIVERED, Notification, undelivered, unreached
from flowy_watch.store import Work


def tell_elsewhere(
    work: Work, channel: str, cause: str, buried: Iterable[Notification], others: Iterable[str], now: datetime
) -> None:
    """One notice on one of the `others` that works, once for each cause until `channel` works again.

    Where what was buried is itself such a notice about another channel, the next one hears that too.
    """
    others = tuple(others)
    for notification in buried:
        finding = notification.alert.finding
        if finding.kind == UNDELIVERED and "whom" not in finding.facts:
            _tell(work, finding.facts["channel"], finding.facts["cause"], others, now, again=True)
    _tell(work, channel, cause, others, now, again=False)


def tell_of_recipient(work: Work, channel: str, whom: str, why: str, others: Iterable[str], now: datetime) -> None:
    """One notice that a recipient of `channel` is refused, once until all recipients of it get something again.

    It goes to another channel that works, else to the other recipients.
    """
    told = unreached(channel, whom=whom, tell="", why=why, now=now)
    if work.outbox.told_on(told.alert.fingerprint, since=work.outbox.last_worked_at(channel, wholly=True)):
        return
    elsewhere = [name for name in _in_order(work, others) if name != channel and not work.outbox.fails(name)]
    work.outbox.add([replace(told, channel=next(iter(elsewhere), channel))])


def recounted(work: Work, notice: Waiting, now: datetime) -> Waiting:
    """News of another channel's failure, with the number of alerts that it has cost by now; else as it is."""
    finding, tell = notice.notification.alert.finding, notice.notification.channel
    if finding.kind != UNDELIVERED or "whom" in finding.facts:
        return notice
    channel, cause = finding.facts["channel"], finding.facts["cause"]
    lost = work.outbox.undelivered(channel)
    told = undelivered(channel, tell=tell, cause=cause, alerts=lost, now=now)
    return replace(notice, notification=replace(told, created_at=notice.notification.created_at))


def _tell(work: Work, channel: str, cause: str, others: tuple[str, ...], now: datetime, *, again: bool) -> None:
    fingerprint = undelivered(channel, tell="", cause=cause, alerts=0, now=now).alert.fingerprint
    told = work.outbox.told_on(fingerprint, since=work.outbox.last_worked_at(channel))
    if told and not again:
        return
    for name in _in_order(work, others):
        if name != channel and name not in told and not work.outbox.fails(name):
            lost = work.outbox.undelivered(channel)
            work.outbox.add([undelivered(channel, tell=name, cause=cause, alerts=lost, now=now)])
            return


def _in_order(work: Work, channels: Iterable[str]) -> list[str]:
    """Those where routes lead before those that hear only digests."""
    used = {name for name, _ in work.outbox.counts()}
    return sorted(channels, key=lambda name: name not in used)
