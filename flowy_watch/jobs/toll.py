"""What an incident came to, once its key has stopped."""

from dataclasses import replace

from flowy_watch.core.alert import Change, Transition
from flowy_watch.core.stop import toll
from flowy_watch.store import Work


def with_toll(work: Work, transition: Transition) -> Transition:
    """The transition with loss and times, where it says that a key stopped, or ends the alert of one that had."""
    alert, key_id = transition.alert, transition.alert.finding.key_id
    if alert.stop is None or key_id is None or not (transition.change is Change.STOPPED or transition.change.ends):
        return transition
    known = toll(
        alert.stop,
        opened_at=alert.opened_at,
        began_at=alert.began_at or alert.opened_at,
        told_at=work.outbox.first_told_at(alert.id),
        days=work.usage.days_of(key_id),
        spent_at_opening=work.usage.spent_at(key_id, alert.opened_at),
    )
    told = replace(alert, stop=replace(alert.stop, toll=known))
    return replace(transition, alert=told, why=f"{transition.why}; {known.words}" if transition.why else known.words)
