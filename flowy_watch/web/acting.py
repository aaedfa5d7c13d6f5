"""What is done by a person's form and by a program's request alike, through `actions`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from flowy_watch import actions
from flowy_watch.actions import Blocked
from flowy_watch.app import open_ledger
from flowy_watch.core.alert import Alert
from flowy_watch.core.silence import Silence
from flowy_watch.web.visit import Visit
from flowy_watch.web.wanted import Wanted, number

if TYPE_CHECKING:
    from flowy_watch.web.site import Site


def acknowledge(site: "Site", visit: Visit, wanted: Wanted) -> Alert:
    return actions.acknowledge(
        site.store,
        number(visit.places["alert"]),
        by=_by(visit, wanted),
        why=wanted.text("why"),
        until=wanted.end(needed=False),
        telling=site.telling,
        now=visit.now,
    )


def report_stop(site: "Site", visit: Visit, wanted: Wanted) -> list[Alert]:
    """Its key was revoked: that alert first, then the others of the key, which are taken on too."""
    return actions.report_stop(
        site.store,
        number(visit.places["alert"]),
        by=_by(visit, wanted),
        why=wanted.text("why"),
        telling=site.telling,
        now=visit.now,
    )


def resolve(site: "Site", visit: Visit, wanted: Wanted) -> Alert:
    return actions.resolve(
        site.store,
        number(visit.places["alert"]),
        by=_by(visit, wanted),
        why=wanted.text("why"),
        no_anomaly=wanted.flag("not_an_anomaly"),
        telling=site.telling,
        now=visit.now,
    )


def silence(site: "Site", visit: Visit, wanted: Wanted) -> Silence:
    end = wanted.end(needed=True)
    assert end is not None  # needed
    return actions.silence(
        site.store,
        wanted.pattern("pattern"),
        until=end,
        kind=wanted.kind(),
        by=_by(visit, wanted),
        why=wanted.text("why"),
        now=visit.now,
    )


def expect(site: "Site", visit: Visit, wanted: Wanted) -> tuple[Silence, list[Alert]]:
    end = wanted.end(needed=True)
    assert end is not None  # needed
    return actions.expect(
        site.store,
        wanted.pattern("key"),
        until=end,
        at_most=wanted.credits(),
        by=_by(visit, wanted),
        why=wanted.text("why"),
        telling=site.telling,
        now=visit.now,
    )


def block(site: "Site", visit: Visit, wanted: Wanted) -> Blocked:
    return _at_meter(actions.block, site, visit, wanted, telling=site.telling)


def unblock(site: "Site", visit: Visit, wanted: Wanted) -> Blocked:
    return _at_meter(actions.unblock, site, visit, wanted)


def _at_meter(act: Callable[..., Blocked], site: "Site", visit: Visit, wanted: Wanted, **more: object) -> Blocked:
    ledger = open_ledger(site.settings)
    try:
        who, why = _by(visit, wanted), wanted.text("why")
        return act(site.store, ledger, wanted.metered(), by=who, why=why, now=visit.now, **more)
    finally:
        ledger.close()


def unsilence(site: "Site", visit: Visit, wanted: Wanted) -> None:
    silence_id = number(visit.places["silence"], most=2**31 - 1)
    actions.unsilence(site.store, silence_id, by=_by(visit, wanted), why=wanted.text("why"), now=visit.now)


def _by(visit: Visit, wanted: Wanted) -> str:
    """Whoever signed in; a program says for whom it asks."""
    by_program = not visit.person.csrf and wanted.text("by")
    return by_program or visit.person.name or "somebody"
