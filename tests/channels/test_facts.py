"""From the facts of a notification to the other side: what the renderer hands to channels that programs read."""

from zoneinfo import ZoneInfo

import pytest

from flowy_watch.channels import CHANNELS
from flowy_watch.core.alert import Change
from flowy_watch.core.bundle import Form
from flowy_watch.core.message import Dialect, FactsMessage
from flowy_watch.core.notification import Notification
from flowy_watch.render import Reader, Renderer
from tests.builders import NOON

from .conftest import Open
from .rigs import RIGS, HttpRig, envelope, notification

KEYS_URL = "https://app.example.com/settings/api-keys"
RENDERER = Renderer(Reader("Acme Studio", KEYS_URL, ZoneInfo("Europe/Madrid")))
HOSTILE = '@everyone <!channel> "}]\n\r\x00\u202e\ud800 https://evil.example flw_sk_abcdefghijklmnop' + "x" * 5000

# apprise loads all that it knows at once, and one of its modules asks Python 3.11 for what 3.13 no longer has.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

KINDS = [kind for kind, made in CHANNELS.items() if getattr(made, "dialect", None) is Dialect.FACTS]


def rendered(*told: Notification) -> FactsMessage:
    if len(told) == 1:
        message = RENDERER.render(told[0], Dialect.FACTS)
    else:
        (page,) = RENDERER.pages(told, Dialect.FACTS, Form.ROUNDUP)
        message = RENDERER.render_page(told, Dialect.FACTS, headline=page.headline, form=Form.ROUNDUP)
    assert isinstance(message, FactsMessage)
    return message


def test_the_message_carries_the_words_the_link_and_what_it_is_about() -> None:
    told = notification()
    message = rendered(told)

    assert message.title == "CRITICAL render is at 96 % of its daily cap"
    assert message.text.startswith(f"{message.title}\n\n")
    assert (message.link, message.about) == (KEYS_URL, (told,))


def test_an_end_needs_no_link() -> None:
    assert rendered(notification(Change.RESOLVED)).link == ""


def test_many_alerts_are_one_message_that_is_about_each() -> None:
    told = tuple(notification(id=number) for number in range(1, 501))
    message = rendered(*told)

    assert (message.about, message.link) == (told, KEYS_URL)
    assert "500 CRITICAL" in message.title


def test_a_test_is_about_nothing() -> None:
    message = RENDERER.render_test(Dialect.FACTS, "ops", NOON)
    assert isinstance(message, FactsMessage)
    assert (message.title, message.about) == ("Test: channel ops works", ())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 3])
def test_a_hostile_name_arrives_as_a_harmless_one(kind: str, size: int, open_as: Open) -> None:
    told = notification(
        key_name=HOSTILE,
        key_id=HOSTILE,
        last_four=HOSTILE,
        title=f"{HOSTILE} is at 96 % of its daily cap",
        evidence=(HOSTILE,) * 30,
        facts={"what": HOSTILE},
        owner=HOSTILE,
        also=(HOSTILE,) * 30,
    )
    with RIGS[kind]() as rig:
        assert isinstance(rig, HttpRig)
        open_as(kind, rig.options).send(rendered(*[told] * size), envelope())

        text = "".join(str(post) for post in rig.receiver.posts())
        raw = b"".join(taken.body for taken in rig.receiver.accepted)
    assert rig.tried() == rig.arrived() > 0
    assert "flw_sk_" not in text
    assert [c for c in "\x00\u202e\ud800" if c in text] == []
    assert len(raw) < 200_000
    assert (b"\\u0000" in raw, b"\\ud800" in raw, b"\\u202e" in raw) == (False, False, False)


@pytest.mark.parametrize("kind", KINDS)
def test_every_change_can_be_told(kind: str, open_as: Open) -> None:
    with RIGS[kind]() as rig:
        channel = open_as(kind, rig.options)
        for change in Change:
            channel.send(rendered(notification(change)), envelope(change.value))
        assert rig.arrived() == len(Change)
