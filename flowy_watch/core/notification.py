"""The facts meant for one channel, and in which manner it is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flowy_watch.core.alert import Alert, Change, Status
from flowy_watch.core.edition import Issue, bounded
from flowy_watch.core.finding import Finding, Severity


class Manner(StrEnum):
    """What a channel does with a notification."""

    POST = "post"  # a new message
    IN_PLACE = "in_place"  # the alert's earlier message is brought up to date; a new one where that cannot be
    IN_PLACE_ONLY = "in_place_only"  # the earlier message is brought up to date, or nothing is sent
    THREAD = "thread"  # one line in the thread of the message of alert `about`, or nothing is sent

    @property
    def needs_message(self) -> bool:
        """Whether nothing can be sent where no earlier message stands."""
        return self in (Manner.IN_PLACE_ONLY, Manner.THREAD)


@dataclass(frozen=True, slots=True)
class Notification:
    """The facts meant for one channel. With `withheld` it is only a line in the story: nobody is told, and why."""

    channel: str
    """Empty where the reason holds for all of them, or no route takes the alert."""
    change: Change
    alert: Alert
    created_at: datetime
    owner: str = ""
    manner: Manner = Manner.POST
    withheld: str = ""
    note: str = ""
    """Why people hear of it now, where that is not plain from the change."""
    also: tuple[str, ...] = ()
    """Titles of other alerts of the same key that opened or grew in the same poll and are told with this one."""
    also_ids: tuple[int, ...] = ()
    """The numbers of those alerts."""
    held_until: datetime | None = None
    """Not before this: the channel's quiet hours."""
    held_why: str = ""
    about: int = 0
    """The alert to whose story it belongs, in whose thread or conversation it is told; else 0."""
    target: str = ""
    """The remote id of the one message that this changes or is a line under, where it only follows another notice."""
    issue: Issue | None = None
    """A digest: then the alert is none of the store's, and only names it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one channel was told of one alert."""

    at: datetime
    """When the latest news was planned for it, whatever became of it."""
    reached: bool = True
    """It was told, or is about to be."""
    stands: bool = False
    """A message about the alert alone stands there, or is about to."""


Past = Mapping[int, Mapping[str, Told]]
"""What was told so far: by alert, then by channel, in the order in which they heard first."""

TOLD_WITH = "told with alert "
"""How the reason begins that withholds what another alert's message tells too."""

DIGEST = "digest"
"""The kind of what a digest travels as: it has no alert in the store."""
UNDELIVERED = "undelivered"
"""The kind of what is told where another channel refuses: it has no alert of its own in the store."""


def undelivered(channel: str, *, tell: str, cause: str, alerts: int, now: datetime) -> Notification:
    """What channel `tell` hears when another one refuses for good. Its fingerprint is the channel and the cause."""
    many = {0: "notices are", 1: "1 alert was"}.get(alerts, f"{alerts} alerts were")
    finding = Finding(
        kind=UNDELIVERED,
        severity=Severity.CRITICAL,
        title=f"{channel} could not be told: {many} not delivered there",
        period=f"{channel}: {cause}",
        evidence=(cause, f"What {channel} missed is not sent there again."),
        facts={"channel": channel, "cause": cause},
    )
    alert = Alert(0, finding, Status.OPEN, finding.level, opened_at=now, last_seen_at=now)
    return Notification(tell, Change.OPENED, alert, now)


def digested(issue: Issue) -> Notification:
    """A digest on its way to the channel of its edition, no larger than the outbox should hold."""
    issue = bounded(issue)
    made_at, period = issue.digest.made_at, issue.digest.period
    finding = Finding(DIGEST, Severity.INFO, f"Digest of {period.name}", period=issue.identity)
    alert = Alert(0, finding, Status.OPEN, finding.level, opened_at=made_at, last_seen_at=made_at)
    return Notification(issue.edition.channel, Change.OPENED, alert, made_at, issue.edition.owner, issue=issue)


def unreached(channel: str, *, whom: str, tell: str, why: str, now: datetime) -> Notification:
    """What channel `tell` hears when one recipient of another is refused for good. Its fingerprint is who that is."""
    finding = Finding(
        kind=UNDELIVERED,
        severity=Severity.CRITICAL,
        title=f"{channel} does not reach {whom}; its other recipients get everything",
        period=f"{channel}: {whom}",
        evidence=(why, f"What {whom} missed is not sent there again. Repair the mailbox or fix channels.{channel}.to."),
        facts={"channel": channel, "cause": why, "whom": whom},
    )
    alert = Alert(0, finding, Status.OPEN, finding.level, opened_at=now, last_seen_at=now)
    return Notification(tell, Change.OPENED, alert, now)
