"""Where people are told: one file per kind, and the kinds by name."""

from flowy_watch.channels.base import Kind
from flowy_watch.channels.email import EmailChannel
from flowy_watch.channels.slack import SlackChannel
from flowy_watch.channels.slack_webhook import SlackWebhookChannel

CHANNELS: dict[str, Kind] = {
    "slack": SlackChannel,
    "slack_webhook": SlackWebhookChannel,
    "email": EmailChannel,
}
