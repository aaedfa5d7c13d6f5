"""`/metrics`: the state in the text format of Prometheus.

A workspace may have thousands of keys: series exist for at most `MOST_KEYS` of them, those that spent most today, told
apart by id and name. Sums cover all keys.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from starlette.responses import Response

from flowy_watch import __version__
from flowy_watch.core.usage import CREDIT, KeyStatus, day_of
from flowy_watch.render.phrase import shorten, visible
from flowy_watch.store.outbox import DEAD, SENT, WAITING, WITHHELD
from flowy_watch.web.visit import Refusal, Role, Visit

if TYPE_CHECKING:
    from flowy_watch.web.site import Site

MOST_KEYS = 500
_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels: TypeAlias = Mapping[str, str]
Sample: TypeAlias = tuple[Labels, float]


def metrics(site: "Site", visit: Visit) -> Response:
    """With a token configured it is needed here too; without one only this machine can ask."""
    if site.identity.has_tokens and visit.person.role < Role.VIEWER:
        raise Refusal(401, "/metrics needs web.token or web.viewer_token as a bearer token.")
    return Response(exposition(site, visit.now), media_type=_TYPE)


def exposition(site: "Site", now: datetime) -> str:
    today = day_of(now)
    with site.store.read() as work:
        keys = sorted(work.views.lines(today), key=lambda row: -(row.spent or 0) if row.seen else 1)
        balance, polls = work.views.last_balance(), work.usage.last_polls(1)
        good_at, open_alerts = work.views.last_good_poll_at(), work.views.alert_counts()
        notices, oldest = work.outbox.counts(), work.views.oldest_waiting()
        buttons = work.buttons.all()
        usual = work.views.usual_hours([row.key_no for row in keys[:MOST_KEYS]])
    site.give_way()
    text = _Text()
    text.gauge("build_info", "Always 1; the version as a label.", [({"version": __version__}, 1)])
    _keys(text, keys, usual)
    if balance:
        text.gauge("balance_credits", "Credits left in the workspace.", [({}, balance.balance_microcredits / CREDIT)])
    _alerts(text, open_alerts)
    if polls:
        text.gauge("last_poll_timestamp_seconds", "The last poll, good or not.", [({}, polls[0].taken_at.timestamp())])
        text.gauge("last_poll_good", "1 when the last poll was good.", [({}, polls[0].outcome == "good")])
        text.gauge("last_poll_skipped_keys", "Keys of it that could not be believed.", [({}, polls[0].skipped)])
    if good_at:
        text.gauge("last_good_poll_timestamp_seconds", "The last good poll.", [({}, good_at.timestamp())])
    if took := site.poll_took():
        text.gauge("last_poll_duration_seconds", "From its first byte to its commit.", [({}, took.total_seconds())])
    _outbox(text, notices, oldest, [*site.settings.channels], now)
    text.gauge(
        "buttons_connected",
        "1 while presses of a channel's buttons are heard.",
        [({"channel": row.channel}, float(not row.trouble)) for row in buttons],
    )
    return text.whole()


def _keys(text: "_Text", keys: list[Any], usual: Mapping[int, float]) -> None:
    shown = [
        ({"key_id": shorten(visible(k.key_id), 100), "name": shorten(visible(k.name))}, k) for k in keys[:MOST_KEYS]
    ]
    statuses = Counter(row.status for row in keys)
    by_status: list[Sample] = [({"status": s.value}, float(statuses[s.value])) for s in KeyStatus]
    text.gauge("keys", "Keys known, by status.", by_status)
    text.gauge("keys_without_series", "Keys beyond the limit of series.", [({}, float(len(keys) - len(shown)))])
    text.gauge(
        "spent_today_credits",
        "Credits that all keys spent in this UTC day.",
        [({}, sum(row.spent or 0 for row in keys) / CREDIT)] if _any_known(keys) else [],
    )
    text.gauge(
        "key_spent_today_credits",
        "Credits a key spent in this UTC day, where that is known.",
        [(labels, int(row.spent or 0) / CREDIT) for labels, row in shown if not row.seen or row.spent is not None],
    )
    text.gauge(
        "key_daily_cap_credits",
        "A key's daily cap, where it has one.",
        [(labels, row.cap / CREDIT) for labels, row in shown if row.cap is not None],
    )
    text.gauge(
        "key_last_used_timestamp_seconds",
        "When a key was last used.",
        [(labels, row.last_used_at.timestamp()) for labels, row in shown if row.last_used_at],
    )
    text.gauge(
        "key_usual_hour_credits",
        "Mean spend of a key per hour over the last four weeks.",
        [(labels, usual[row.key_no]) for labels, row in shown if row.key_no in usual],
    )


def _any_known(keys: Iterable[Any]) -> bool:
    listed = [row.spent for row in keys if row.seen]
    return not listed or any(spent is not None for spent in listed)


def _alerts(text: "_Text", counts: Iterable[tuple[str, str, str, int]]) -> None:
    text.gauge(
        "alerts",
        "Alerts that are not resolved.",
        [
            ({"kind": kind, "severity": severity, "status": status}, float(count))
            for kind, severity, status, count in counts
        ],
    )


def _outbox(
    text: "_Text",
    notices: Mapping[tuple[str, str], int],
    oldest: Mapping[str, datetime],
    channels: Iterable[str],
    now: datetime,
) -> None:
    names = sorted({*channels, *(channel for channel, _ in notices if channel)})
    text.gauge(
        "notices",
        "Notices kept, by channel and what became of them; old ones are forgotten.",
        [
            ({"channel": name, "outcome": outcome}, float(notices.get((name, outcome), 0)))
            for name in names
            for outcome in (SENT, DEAD, WITHHELD)
        ],
    )
    text.gauge(
        "outbox_notices",
        "Notices waiting to be sent.",
        [({"channel": name}, float(notices.get((name, WAITING), 0))) for name in names],
    )
    text.gauge(
        "outbox_oldest_age_seconds",
        "How long the oldest notice has waited; 0 when none does.",
        [({"channel": name}, (now - oldest[name]).total_seconds() if name in oldest else 0.0) for name in names],
    )


class _Text:
    """Families one after the other; one without samples is left out."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def gauge(self, name: str, meaning: str, samples: Sequence[Sample]) -> None:
        if not samples:
            return
        name = f"flowy_watch_{name}"
        self._lines += [f"# HELP {name} {meaning}", f"# TYPE {name} gauge"]
        self._lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples]

    def whole(self) -> str:
        return "\n".join([*self._lines, ""])


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _number(value: float) -> str:
    """The shortest that means this very number: 990.9 and not 990.89999999999998."""
    return repr(float(value)).removesuffix(".0")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
