"""Notifications not yet delivered, and what became of the others.

Longer than other files: the life of a notice is one machine of few states, and its steps are read together.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    JSON,
    Connection,
    Row,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from flowy_watch.core.alert import Change
from flowy_watch.core.bundle import Form, Waiting
from flowy_watch.core.message import Written
from flowy_watch.core.notification import TOLD_WITH, Manner, Notification, Told
from flowy_watch.store.codec import dump_notification, dump_written, load_notification, load_written
from flowy_watch.store.tables import OutboxRow

WAITING, SENT, DEAD, WITHHELD = "waiting", "sent", "dead", "withheld"
_NEWS = tuple(change.value for change in Change if change.is_news)
_MOST_ASKED = 500  # alerts asked for in one statement
_AT_ONCE = datetime.min.replace(tzinfo=UTC)

_outbox = OutboxRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it, without telling mypy


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message leased to one worker: nobody else sends it until the lease ends. It carries one notice or many."""

    outbox_id: str
    """The carrier's: under this id the message is sent, in every try."""
    tries: int
    doubtful: bool
    """An earlier try may have arrived."""
    form: Form
    headline: str
    page: int
    created_at: datetime
    """Of its oldest notice."""
    notices: tuple[Waiting, ...]
    """The carrier first, the others oldest first."""
    earlier: str
    """The remote id of the last message about this alert alone on this channel, or, for a line in a thread, of the
    one it belongs to; empty when there was none."""
    latest: str = ""
    """The remote id of the last message about this alert alone, whatever this one changes."""
    settled: Mapping[str, str] = field(default_factory=dict)
    """Recipients with whom it is over already, each with why it was refused, which is empty for those who have it."""
    written: Written | None = None
    """For earlier tries: somebody may have read it, and no further try says anything else."""

    @property
    def notification(self) -> Notification:
        return self.notices[0].notification

    @property
    def notifications(self) -> tuple[Notification, ...]:
        return tuple(notice.notification for notice in self.notices)


@dataclass(frozen=True, slots=True)
class Page:
    """One message that is to be: the first member carries it."""

    form: Form
    members: tuple[Waiting, ...]
    headline: str = ""


class Outbox:
    """One instance per transaction; never commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, notifications: Iterable[Notification]) -> int:
        """Store them, the withheld ones too, and return how many wait to be sent."""
        rows = [_row(notification) for notification in notifications]
        if rows:
            self._connection.execute(insert(_outbox), rows)
        return sum(row["status"] == WAITING for row in rows)

    # ── what is sent next ────────────────────────────────────────────────────────────────────────────────────────

    def next_due(self, channel: str) -> datetime | None:
        """When the next message of a channel may be tried; None when nothing waits.

        Strictly in order: while the first waits for its next try, or is leased, all others wait behind it. Only what
        waits for a single recipient's sake is tried beside the others.
        """
        return None if (comes := self.comes_next(channel)) is None else comes[0]

    def comes_next(self, channel: str) -> tuple[datetime, bool, timedelta | None] | None:
        """`next_due`, whether it waits for a time of day and not for a pause to pass, and how long that pause is."""
        row = self._first(channel)
        if row is None:
            return None
        due_at = _due_at(row)
        return due_at, row.held_until == due_at, due_at - row.tried_at if row.tried_at else None

    def _first(self, channel: str) -> Row[Any] | None:
        """What was composed comes first, page by page and its carrier before the rest; then what no quiet hours hold,
        and the oldest."""
        of = _outbox.c
        columns: tuple[Any, ...] = (of.created_at, of.due_at, of.leased_until, of.tried_at, of.held_until, of.carrier)
        held = (of.held_until.isnot(None), of.held_until)
        order = (of.page == 0, of.page, of.id != of.carrier, *held, of.seq)
        waiting = select(*columns).where(_waiting(channel))
        in_order = waiting.where(of.settled.is_(None)).order_by(*order)
        beside = waiting.where(of.settled.isnot(None)).order_by(of.due_at, of.seq)
        rows = [self._connection.execute(query.limit(1)).first() for query in (in_order, beside)]
        return min((row for row in rows if row is not None), key=_due_at, default=None)

    def composed(self, channel: str) -> bool:
        """Whether it is settled which notices the next message of a channel carries."""
        row = self._first(channel)
        return row is not None and bool(row.carrier)

    def loose(self, channel: str, *, at: datetime | None = None) -> list[Waiting]:
        """The notices of a channel that no message was made of yet, oldest first. Those nobody can read are buried.

        What quiet hours hold at `at` is left out, except of alerts of which there is news that they do not hold.
        """
        told = self._told(channel)
        columns = (_outbox.c.id, _outbox.c.alert_id, _outbox.c.change, _outbox.c.tries, _outbox.c.held_until)
        rows = self._connection.execute(
            select(*columns, _outbox.c.payload)
            .where(_waiting(channel), _outbox.c.carrier == "")
            .order_by(_outbox.c.seq)
        ).all()
        broken = {row.alert_id for row in rows if row.held_until is None and row.change in _NEWS}
        found = []
        for row in rows:
            if at and row.held_until and row.held_until > at and row.alert_id not in broken:
                continue
            if notification := self._read(row):
                known = {"heard": row.alert_id in told, "stands": bool(self._remote_id(told, notification))}
                found.append(Waiting(row.id, notification, tries=row.tries, held=bool(row.held_until), **known))
        return found

    def _read(self, row: Any) -> Notification | None:
        try:
            return load_notification(row.payload)
        except ValueError:
            self._set([row.id], status=DEAD, reason="written by another version, which this one cannot read")
            return None

    def _remote_id(self, told: Mapping[int, str], notification: Notification) -> str:
        """Of the message that this one changes, or in whose thread it is a line; empty where none stands."""
        if notification.target:
            return notification.target
        if not notification.about:
            return told.get(notification.alert.id, "")
        return self.first_message(notification.channel, notification.about)

    def first_message(self, channel: str, alert_id: int) -> str:
        """The remote id of the first message about this alert alone; its thread holds the story."""
        mine = and_(_outbox.c.channel == channel, _outbox.c.alert_id == alert_id, _outbox.c.remote_id != "")
        query = select(_outbox.c.remote_id).where(mine, _outbox.c.sent_at.isnot(None)).order_by(_outbox.c.seq).limit(1)
        return self._connection.execute(query).scalar() or ""

    def _told(self, channel: str) -> dict[int, str]:
        """Alerts that the channel heard of and that something waits for, each with the remote id of its last message.

        That id is empty where nothing told of the alert alone.
        """
        return self._sent_of(channel, _outbox.c.alert_id.in_(select(_outbox.c.alert_id).where(_waiting(channel))))

    def news_since(self, channel: str, outbox_id: str, alert_ids: Iterable[int]) -> frozenset[int]:
        """Those of the alerts of which the channel was told, or is to be, by a notice made after this one."""
        after = _outbox.c.seq > select(_outbox.c.seq).where(_outbox.c.id == outbox_id).scalar_subquery()
        of_channel = and_(_outbox.c.channel == channel, _outbox.c.alert_id.in_(list(alert_ids)))
        news = and_(_outbox.c.change.in_(_NEWS), _outbox.c.status.in_((WAITING, SENT)))
        return frozenset(self._connection.execute(select(_outbox.c.alert_id).where(of_channel, news, after)).scalars())

    def standing(self, channel: str, alert_ids: Iterable[int]) -> dict[int, str]:
        """The remote id of the last message about each of these alerts alone, of those that have one."""
        told = self._sent_of(channel, _outbox.c.alert_id.in_(list(alert_ids)))
        return {alert_id: remote_id for alert_id, remote_id in told.items() if remote_id}

    def passed(self, channel: str, alert_ids: Iterable[int]) -> frozenset[int]:
        """Those of the alerts of which the channel last heard that they came and went."""
        of_alerts = and_(_outbox.c.channel == channel, _outbox.c.alert_id.in_(list(alert_ids)))
        query = select(_outbox.c.alert_id, _outbox.c.form).where(of_alerts, _outbox.c.status == SENT)
        last = {row.alert_id: row.form for row in self._connection.execute(query.order_by(_outbox.c.seq))}
        return frozenset(alert_id for alert_id, form in last.items() if form == Form.PASSED.value)

    def _sent_of(self, channel: str, of_alerts: Any) -> dict[int, str]:
        query = (
            select(_outbox.c.alert_id, _outbox.c.remote_id)
            .where(_outbox.c.channel == channel, _outbox.c.sent_at.isnot(None), of_alerts)
            .order_by(_outbox.c.seq)
        )
        told: dict[int, str] = {}
        for row in self._connection.execute(query):
            told[row.alert_id] = row.remote_id or told.get(row.alert_id, "")
        return told

    def compose(self, pages: Iterable[Page]) -> None:
        """Settle which notices travel in which message, in this order, each as its member says."""
        for number, page in enumerate(pages, 1):
            carrier = page.members[0].outbox_id
            rows = [
                {"_id": member.outbox_id, "_payload": dump_notification(member.notification)} for member in page.members
            ]
            values = {"carrier": carrier, "page": number, "form": page.form.value}
            statement = update(_outbox).where(_outbox.c.id == bindparam("_id"))
            self._connection.execute(statement.values(**values, payload=bindparam("_payload", type_=JSON)), rows)
            self._set([carrier], headline=page.headline)

    def hold(self, held: Mapping[str, Notification]) -> None:
        """These notices wait for the end of quiet hours, as each says."""
        for outbox_id, notification in held.items():
            until, why = notification.held_until, notification.held_why
            self._set([outbox_id], held_until=until, reason=why, payload=dump_notification(notification))

    def overtake(self, told_by: Mapping[str, str]) -> None:
        """These notices are not sent: another one says what is to be said of the alert."""
        for outbox_id in told_by:
            reason = "overtaken by a later notice of this alert before it could be sent"
            self._set([outbox_id], status=WITHHELD, reason=reason)

    def withhold(self, reasons: Mapping[str, str]) -> None:
        """These notices are not sent after all."""
        for outbox_id, reason in reasons.items():
            self._set([outbox_id], status=WITHHELD, reason=reason, words=None)

    def claim(self, channel: str, *, now: datetime, until: datetime) -> Claimed | None:
        """Lease the next composed message of a channel. From here on it counts as one that may have arrived."""
        head = self._first(channel)
        if head is None or not head.carrier:
            return None
        whole = and_(_outbox.c.carrier == head.carrier, _outbox.c.status == WAITING)
        rows = self._connection.execute(
            select(_outbox).where(whole).order_by(_outbox.c.id != _outbox.c.carrier, _outbox.c.seq)
        ).all()
        told = self._told(channel)
        notices = tuple(
            Waiting(row.id, notification, heard=row.alert_id in told)
            for row in rows
            if (notification := self._read(row))
        )
        if not notices or notices[0].outbox_id != head.carrier:
            self.loosen(channel)
            return None
        tries = max(row.tries for row in rows) + 1
        leased = {"leased_until": until, "tried_at": now, "tries": tries, "doubtful": True}
        self._connection.execute(update(_outbox).where(whole).values(**leased))
        return Claimed(
            head.carrier,
            tries,
            rows[0].doubtful,
            Form(rows[0].form),
            rows[0].headline,
            rows[0].page,
            min(row.created_at for row in rows),
            notices,
            self._remote_id(told, notices[0].notification),
            told.get(rows[0].alert_id, ""),
            rows[0].settled or {},
            _written(rows[0].words),
        )

    def freeze(self, claimed: Claimed, written: Written) -> None:
        """Every try from now on sends this, whatever version or configuration makes it."""
        self._set([claimed.outbox_id], words=dump_written(written))

    # ── what came of it ──────────────────────────────────────────────────────────────────────────────────────────

    def sent(self, claimed: Claimed, *, at: datetime, remote_id: str, refused: Mapping[str, str] | None = None) -> None:
        """Told, but not to the recipients that were refused.

        Only a message about one alert alone can be brought up to date later, so only there the id is kept.
        """
        follows = claimed.notification.manner is Manner.THREAD or bool(claimed.notification.target)
        about_one = claimed.form is Form.ALONE and not follows
        others = [notice.outbox_id for notice in claimed.notices[1:]]
        done = {"status": SENT, "sent_at": at, "leased_until": None, "doubtful": False, "settled": refused or None}
        done |= {"words": None}
        how = "" if claimed.form is Form.ALONE else _grouped(claimed)
        if follows:
            how = "a line in the thread" if claimed.notification.manner is Manner.THREAD else "the earlier message"
            how += f": {claimed.notification.note}" if claimed.notification.note else ""
        missed = ", ".join(f"{whom} ({why})" for whom, why in (refused or {}).items())
        reasons = "; ".join(filter(None, (how, missed and f"refused for good: {missed}")))
        of_carrier = select(_outbox.c.alert_id).where(_outbox.c.id == claimed.outbox_id)
        about = claimed.notification.alert.id
        its_own = not about or self._connection.execute(of_carrier).scalar() == about
        kept = remote_id if about_one and its_own else ""
        self._set([claimed.outbox_id], **done, remote_id=kept, reason=reasons)
        self._set(others, **done, remote_id="", reason=reasons)
        also = [number for notification in claimed.notifications for number in notification.also_ids]
        with_it = and_(_outbox.c.alert_id.in_(also), _outbox.c.channel == claimed.notification.channel)
        unheard = and_(_outbox.c.status == WITHHELD, _outbox.c.sent_at.is_(None), _outbox.c.carrier == "")
        if also:
            self._connection.execute(update(_outbox).where(with_it, unheard).values(sent_at=at))
        if about_one and not its_own:  # the alert it was made for is over: it is about one that was told with it
            of_it = and_(_outbox.c.alert_id == about, _outbox.c.channel == claimed.notification.channel)
            last = select(func.max(_outbox.c.seq)).where(of_it, _outbox.c.sent_at.isnot(None))
            its_row = _outbox.c.seq == last.scalar_subquery()
            self._connection.execute(update(_outbox).where(its_row).values(remote_id=remote_id))

    def doubt(
        self, claimed: Claimed, *, due_at: datetime, reason: str, settled: Mapping[str, str] | None = None
    ) -> None:
        """It may have arrived, in part or whole: the very same message is tried again, but not to those settled."""
        values: dict[str, Any] = {"due_at": due_at, "reason": reason, "leased_until": None}
        self._set(_ids(claimed), **values, **({"settled": dict(settled)} if settled else {}))

    def reached(self, claimed: Claimed, *, at: datetime) -> None:
        """Some of the recipients have it: on this channel the alert was heard of."""
        self._set(_ids(claimed), sent_at=at)

    def keep(self, claimed: Claimed, *, due_at: datetime, reason: str) -> None:
        """Nothing of it was taken, and it is one of several pages: these notices stay together."""
        self._set(_ids(claimed), due_at=due_at, reason=reason, leased_until=None, doubtful=False, words=None)

    def loosen(
        self, channel: str, *, at: datetime | None = None, due_at: datetime | None = None, reason: str = ""
    ) -> None:
        """Nothing was taken: what waits is put together anew in the next try, as things stand then.

        With `due_at`, a pause until then begins at `at`.
        """
        free = {"carrier": "", "page": 0, "form": "", "headline": "", "doubtful": False, "leased_until": None}
        free |= {"words": None}
        if due_at is not None:
            free |= {"due_at": due_at, "tried_at": at}
        whole = and_(_waiting(channel), _outbox.c.settled.is_(None))
        if reason:
            self._connection.execute(update(_outbox).where(whole, _outbox.c.doubtful).values(reason=reason))
        self._connection.execute(update(_outbox).where(whole).values(**free))

    def dead(self, outbox_ids: Iterable[str], *, at: datetime, reason: str) -> None:
        self._set(list(outbox_ids), status=DEAD, reason=reason, leased_until=None, due_at=at, words=None)

    def _set(self, outbox_ids: Sequence[str], **values: Any) -> None:
        if outbox_ids:
            self._connection.execute(update(_outbox).where(_outbox.c.id.in_(outbox_ids)).values(**values))

    # ── channels that fail ───────────────────────────────────────────────────────────────────────────────────────

    def last_worked_at(self, channel: str, *, wholly: bool = False) -> datetime | None:
        """When something was last sent there; `wholly`: to every recipient."""
        query = select(func.max(_outbox.c.sent_at)).where(_outbox.c.channel == channel, _outbox.c.status == SENT)
        if wholly:
            query = query.where(_outbox.c.settled.is_(None))
        worked: datetime | None = self._connection.execute(query).scalar()
        return worked

    def last_sent_at(self, channel: str) -> datetime | None:
        """When the latest message of a channel was sent, by whatever process; found without reading them all."""
        query = select(_outbox.c.sent_at).where(_outbox.c.channel == channel, _outbox.c.status == SENT)
        sent_at: datetime | None = self._connection.execute(query.order_by(_outbox.c.seq.desc()).limit(1)).scalar()
        return sent_at

    def undelivered(self, channel: str) -> int:
        """How many alerts died on a channel since it last worked."""
        query = select(func.count(_outbox.c.alert_id.distinct())).where(self._died(channel))
        return int(self._connection.execute(query).scalar() or 0)

    def fails(self, channel: str) -> bool:
        """Whether a notice died on this channel since it last worked."""
        return self._connection.execute(select(_outbox.c.seq).where(self._died(channel)).limit(1)).first() is not None

    def _died(self, channel: str) -> Any:
        died = and_(_outbox.c.channel == channel, _outbox.c.status == DEAD)
        worked_at = self.last_worked_at(channel)
        return died if worked_at is None else and_(died, _outbox.c.due_at >= worked_at)

    def told_on(self, fingerprint: str, *, since: datetime | None) -> list[str]:
        """The channels that were told, or are to be told, of a failure of ours since then."""
        ours = _outbox.c.alert_id.is_(None)
        if since is not None:
            ours = and_(ours, _outbox.c.created_at >= since)
        found = []
        for row in self._connection.execute(select(_outbox).where(ours)):
            notification = self._read(row)
            if notification and notification.alert.fingerprint == fingerprint:
                found.append(row.channel)
        return found

    def past(self, alert_ids: Iterable[int]) -> dict[int, dict[str, Told]]:
        """What the channels were told of these alerts, by alert and channel, in the order in which they heard first."""
        found: dict[int, dict[str, Told]] = {}
        of, numbers = _outbox.c, list(dict.fromkeys(alert_ids))
        folded = and_(of.status == WITHHELD, of.reason.startswith(TOLD_WITH))
        reached = or_(of.sent_at.isnot(None), of.status == WAITING, folded)
        columns = (
            of.alert_id,
            of.channel,
            func.max(of.created_at),
            func.max(case((reached, 1), else_=0)),
            func.max(case((or_(of.remote_id != "", and_(of.status == WAITING, of.held_until.is_(None))), 1), else_=0)),
        )
        news = and_(of.change.in_(_NEWS), of.channel != "", or_(reached, of.status == DEAD))
        for start in range(0, len(numbers), _MOST_ASKED):
            asked = of.alert_id.in_(numbers[start : start + _MOST_ASKED])
            query = select(*columns).where(asked, news).group_by(of.alert_id, of.channel).order_by(func.min(of.seq))
            for alert_id, channel, at, is_reached, stands in self._connection.execute(query):
                found.setdefault(alert_id, {})[channel] = Told(at, bool(is_reached), bool(stands))
        return found

    # ── for people ───────────────────────────────────────────────────────────────────────────────────────────────

    def story(self, alert_id: int) -> list[Row[Any]]:
        """Every notice of one alert, sent and withheld, oldest first."""
        query = select(_outbox).where(_outbox.c.alert_id == alert_id).order_by(_outbox.c.seq)
        return list(self._connection.execute(query))

    def fate(self, outbox_id: str) -> tuple[str, str]:
        """Status of one notice, and the reason of it where there is one."""
        query = select(_outbox.c.status, _outbox.c.reason).where(_outbox.c.id == outbox_id)
        row = self._connection.execute(query).first()
        return (row.status, row.reason) if row else ("", "")

    def first_told_at(self, alert_id: int) -> datetime | None:
        """When the first notice of an alert was sent; None when none was."""
        sent = select(func.min(_outbox.c.sent_at)).where(_outbox.c.alert_id == alert_id)
        at: datetime | None = self._connection.execute(sent).scalar()
        return at

    def counts(self) -> dict[tuple[str, str], int]:
        """By channel and status; withheld ones have no channel."""
        query = select(_outbox.c.channel, _outbox.c.status, func.count()).group_by(_outbox.c.channel, _outbox.c.status)
        return {(channel, status): count for channel, status, count in self._connection.execute(query)}

    def dead_letters(self, most: int = 20) -> list[Row[Any]]:
        """What was not delivered, or not to every recipient; the newest first."""
        missed = and_(_outbox.c.status == SENT, _outbox.c.settled.isnot(None))
        query = select(_outbox).where(or_(_outbox.c.status == DEAD, missed)).order_by(_outbox.c.seq.desc()).limit(most)
        return list(self._connection.execute(query))

    def prune(self, before: datetime, *, digests_before: datetime | None = None) -> int:
        """Forget notices of long ago that were sent or withheld. Waiting and dead ones stay.

        Of a digest that was sent before `digests_before` that it was stays, not its figures: of 10,000 keys they are a
        megabyte for each recipient, and can be made again.
        """
        if digests_before:
            told = and_(_outbox.c.alert_id.is_(None), _outbox.c.status == SENT, _outbox.c.sent_at < digests_before)
            full = func.length(cast(_outbox.c.payload, Text)) > len("{}")
            self._connection.execute(update(_outbox).where(told, full).values(payload={}))
        old = and_(_outbox.c.created_at < before, or_(_outbox.c.status == SENT, _outbox.c.status == WITHHELD))
        return self._connection.execute(delete(_outbox).where(old)).rowcount


def _due_at(row: Row[Any]) -> datetime:
    postponed = row.due_at if row.due_at != row.created_at else None  # else it is due, whatever the clock says now
    due_at: datetime = max((at for at in (postponed, row.leased_until, row.held_until) if at), default=_AT_ONCE)
    return due_at


def _waiting(channel: str) -> Any:
    return and_(_outbox.c.channel == channel, _outbox.c.status == WAITING)


def _written(packed: bytes | None) -> Written | None:
    try:
        return load_written(packed) if packed else None
    except ValueError:  # another version's: then they are made anew
        return None


def _ids(claimed: Claimed) -> list[str]:
    return [notice.outbox_id for notice in claimed.notices]


def _grouped(claimed: Claimed) -> str:
    many = len(claimed.notices)
    if claimed.form is Form.PASSED:
        return f"grouped into {many} that came and went before this channel could be told"
    return f"grouped into a roundup of {many} alerts"


def _row(notification: Notification) -> dict[str, Any]:
    return {
        "id": notification.issue.identity if notification.issue else uuid4().hex,
        "alert_id": notification.alert.id or None,
        "channel": notification.channel,
        "change": notification.change.value,
        "status": WITHHELD if notification.withheld else WAITING,
        "created_at": notification.created_at,
        "due_at": notification.created_at,
        "tries": 0,
        "remote_id": "",
        "reason": notification.withheld or notification.held_why,
        "held_until": notification.held_until,
        "payload": dump_notification(notification),
    }
