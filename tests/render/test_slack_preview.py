"""The picture of a Slack message shows what Slack would, escaped."""

from flowy_watch.render.slack_preview import slack_page

from .notices import KEYS_URL, named, notification, slack


def test_a_preview_shows_the_words_and_escapes_names() -> None:
    page = slack_page([slack(notification(named("<script>")))])

    assert "<script>" not in page
    assert "&lt;script&gt; is at 96\u00a0% of" in page
    assert f'href="{KEYS_URL}">Open API keys in Flowy</a>' in page
    assert "<code>flowy-watch ack 12</code>" in page
