"""Slack by incoming webhook: set up in a minute, but nothing can be read back or changed later."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from flowy_watch.channels.base import Envelope, Receipt
from flowy_watch.channels.poster import Answer, Poster, is_web_address
from flowy_watch.channels.retry_after import retry_after
from flowy_watch.core.check import Check
from flowy_watch.core.message import Dialect, Message, SlackMessage
from flowy_watch.core.route import Traits
from flowy_watch.errors import Doubtful, Refused, TryLater

ADVICE = {
    "no_service": "the webhook was removed; make a new one in Slack and set channels.{name}.url",
    "no_service_id": "the webhook's address is incomplete; set channels.{name}.url to the whole of it",
    "no_team": "the webhook's address is wrong; copy it again from Slack into channels.{name}.url",
    "team_disabled": "the Slack workspace is disabled",
    "invalid_token": "the webhook's address is wrong; copy it again from Slack into channels.{name}.url",
    "no_active_hooks": "the webhook is switched off; switch it on in Slack or set channels.{name}.url to another",
    "action_prohibited": "a Slack administrator restricts posting there; ask for this webhook to be allowed",
    "posting_to_general_channel_denied": "posting to #general is restricted; make a webhook for another channel",
    "channel_is_archived": "the webhook's channel is archived; unarchive it or make a webhook for another channel",
    "channel_not_found": "the webhook's channel is gone; make a new webhook and set channels.{name}.url",
    "user_not_found": "whoever made the webhook is gone; make a new one and set channels.{name}.url",
    "invalid_payload": "Slack could not read the message; please report this as a bug of flowy-watch",
    "invalid_blocks": "Slack could not read the message; please report this as a bug of flowy-watch",
    "no_text": "Slack could not read the message; please report this as a bug of flowy-watch",
    "too_many_attachments": "Slack could not read the message; please report this as a bug of flowy-watch",
}


_NOT_OK = re.compile(r'"(?:ok|success)"\s*:\s*false')


class SlackWebhookConfig(BaseModel):
    """`[channels.<name>]` with `kind = "slack_webhook"`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: SecretStr
    """A secret: whoever knows it can post."""
    timeout: timedelta = Field(default=timedelta(seconds=10), gt=timedelta(0))

    @field_validator("url")
    @classmethod
    def _is_a_url(cls, url: SecretStr) -> SecretStr:
        if not is_web_address(url.get_secret_value()):
            raise ValueError("must be the whole address of the webhook, beginning with https://")
        return url


class SlackWebhookChannel:
    """Posts to an incoming webhook.

    At least once: Slack tells a webhook nothing it could be asked for later, so a post whose answer got lost is sent
    again and may then be seen twice. The kind `slack` does not have this gap.
    """

    Config: ClassVar = SlackWebhookConfig
    dialect = Dialect.SLACK
    traits = Traits()

    def __init__(self, name: str, config: SlackWebhookConfig) -> None:
        self.name = name
        self._url = config.url
        self._poster = Poster(name, host="Slack", option="url", timeout=config.timeout)

    def send(self, message: Message, envelope: Envelope) -> Receipt:
        if not isinstance(message, SlackMessage):
            raise Refused(f'channel "{self.name}" takes Slack messages only; this is a bug of flowy-watch')
        body: dict[str, object] = {"text": message.text, "blocks": [dict(block) for block in message.blocks]}
        body |= {"unfurl_links": False, "unfurl_media": False}
        self._judge(self._poster.post(self._url.get_secret_value(), json.dumps(body).encode(), {}))
        return Receipt()

    def check(self) -> Iterator[Check]:
        """Only that the host answers: a webhook cannot be asked anything without posting."""
        reached = self._poster.reaches(self._url.get_secret_value())
        known = "Slack can be reached; only notify-test shows whether the webhook works"
        yield Check(f"channels.{self.name}", ok=reached, detail=known if reached else "Slack could not be reached")

    def close(self) -> None:
        self._poster.close()

    def _judge(self, response: Answer) -> None:
        status, answer = response.status, response.text.strip()[:80]
        if status == 200:
            # Slack says "ok"; others who take its messages have words of their own. A web page is somebody in between.
            if not answer.startswith("<") and not _NOT_OK.search(answer):
                return
            raise Doubtful(f'Slack gave an answer for channel "{self.name}" that makes no sense')
        pause = retry_after(response.headers.get("retry-after"), response.headers.get("date"))
        if status == 429:
            raise TryLater(f'Slack asks channel "{self.name}" to wait', retry_after=pause)
        if status == 504 or answer == "rollup_error":
            raise Doubtful(f'Slack stumbled over a message for channel "{self.name}" and may have posted it')
        if status >= 500:
            raise TryLater(f'Slack has trouble (HTTP {status}) with channel "{self.name}"', retry_after=pause)
        # The answer is shown only where we know the word: a strange host could echo the address it was asked for.
        known = ADVICE.get(answer)
        advice = (known or "is channels.{name}.url the whole address of an incoming webhook?").format(name=self.name)
        raise Refused(f'Slack refused channel "{self.name}" ({answer if known else f"HTTP {status}"}): {advice}')
