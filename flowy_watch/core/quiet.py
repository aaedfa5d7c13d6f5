"""What waits for the end of a channel's quiet hours."""

from dataclasses import replace
from datetime import datetime

from flowy_watch.core.finding import Severity
from flowy_watch.core.hours import Hours
from flowy_watch.core.notification import Notification


def hushed(notification: Notification, hours: Hours | None, now: datetime) -> Notification:
    """The notification, held back where it is now to be quiet: what is not critical and makes a sound."""
    loud = not notification.withheld and not notification.manner.needs_message
    if hours is None or not loud or notification.alert.finding.severity >= Severity.CRITICAL:
        return notification
    if not hours.cover(now):
        return notification
    until = hours.until(now)
    why = f"quiet hours until {until.astimezone(hours.zone):%H:%M} {hours.zone.key}"
    return replace(notification, held_until=until, held_why=why)
