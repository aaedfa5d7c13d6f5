"""Where people are told: one file per kind, and the kinds by name."""

from flowy_watch.channels.apprise import AppriseChannel
from flowy_watch.channels.base import Kind
from flowy_watch.channels.email import EmailChannel
from flowy_watch.channels.pagerduty import PagerDutyChannel
from flowy_watch.channels.slack import SlackChannel
from flowy_watch.channels.slack_webhook import SlackWebhookChannel
from flowy_watch.channels.webhook import WebhookChannel

CHANNELS: dict[str, Kind] = {
    "slack": SlackChannel,
    "slack_webhook": SlackWebhookChannel,
    "email": EmailChannel,
    "pagerduty": PagerDutyChannel,
    "webhook": WebhookChannel,
    "apprise": AppriseChannel,
}
