"""Whether a stop held: the key is seen revoked, and was not used since."""

from collections.abc import Mapping
from datetime import datetime

from flowy_watch.core.finding import Finding
from flowy_watch.core.history import History

NOT_ENDED_BY_A_STOP = frozenset({"safeguard"})


def quiet_since(finding: Finding, histories: Mapping[str, History]) -> datetime | None:
    """The last use of a finding's key, once a second poll has seen it revoked and without use after that.

    Judged by use, not by billing: runs that were under way may still be charged. None while it is not confirmed.
    """
    history = histories.get(finding.key_id or "")
    if history is None or finding.kind in NOT_ENDED_BY_A_STOP or finding.period == "revoked":
        return None
    if not history.stays_revoked or history.revoked_at is None:
        return None
    return history.moved_at if history.moved_at <= history.revoked_at else None
