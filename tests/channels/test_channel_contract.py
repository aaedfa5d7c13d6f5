"""What every kind of channel promises, over real sockets."""

import logging
import re
import socket
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from flowy_watch.channels import CHANNELS
from flowy_watch.core.message import PlainMessage
from flowy_watch.errors import ChannelError, Doubtful, Refused, TryLater

from .conftest import Open
from .rigs import RIGS, AnyRig, SignedWebhookRig, envelope

# apprise loads all that it knows at once, and one of its modules asks Python 3.11 for what 3.13 no longer has.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture(params=[*CHANNELS, "webhook with a token"])
def rig(request: pytest.FixtureRequest) -> Iterator[AnyRig]:
    with (RIGS | {"webhook with a token": SignedWebhookRig})[request.param]() as rig:
        yield rig


def everything_said(error: BaseException) -> str:
    """All that a log could show of an error: words and causes, without the lines of the source code."""
    said = []
    cause: BaseException | None = error
    while cause is not None:
        said += [str(cause), repr(cause), *traceback.format_exception_only(cause)]
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\n".join(said)


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def elsewhere(options: dict[str, Any], port: int) -> dict[str, Any]:
    """The same configuration, pointed at another port of this machine."""
    moved = {name: _moved(value, port) for name, value in options.items()}
    return moved | ({"port": port} if "port" in options else {})


def _moved(value: Any, port: int) -> Any:
    return re.sub(r"(?<=://127\.0\.0\.1:)[0-9]+", str(port), value) if isinstance(value, str) else value


def test_a_message_arrives_once_and_by_one_try(rig: AnyRig, open_as: Open) -> None:
    receipt = open_as(rig.kind, rig.options).send(rig.message, envelope())

    assert (rig.arrived(), rig.tried()) == (1, 1)
    assert receipt.refused == {}


def test_a_refusal_is_final_and_tried_once(rig: AnyRig, open_as: Open) -> None:
    rig.refuse()

    with pytest.raises(Refused, match="ops"):
        open_as(rig.kind, rig.options).send(rig.message, envelope())

    assert (rig.arrived(), rig.tried()) == (0, 1)


def test_passing_trouble_is_for_later_and_tried_once(rig: AnyRig, open_as: Open) -> None:
    rig.postpone()

    with pytest.raises(TryLater, match="ops"):
        open_as(rig.kind, rig.options).send(rig.message, envelope())

    assert (rig.arrived(), rig.tried()) == (0, 1)


def test_a_hang_up_after_the_message_is_a_doubt_and_tried_once(rig: AnyRig, open_as: Open) -> None:
    rig.drop()

    with pytest.raises(Doubtful, match="ops"):
        open_as(rig.kind, rig.options).send(rig.message, envelope())

    assert (rig.arrived(), rig.tried()) == (1, 1)


def test_silence_after_the_message_is_a_doubt_after_the_timeout(rig: AnyRig, open_as: Open) -> None:
    rig.hang()

    with pytest.raises(Doubtful, match="ops"):
        open_as(rig.kind, rig.options, patience=0.3).send(rig.message, envelope())

    assert rig.tried() == 1


def test_a_machine_that_is_down_is_for_later(rig: AnyRig, open_as: Open) -> None:
    with pytest.raises(TryLater, match="could not be reached"):
        open_as(rig.kind, elsewhere(rig.options, closed_port())).send(rig.message, envelope())


def test_a_machine_that_never_greets_is_given_up_after_the_timeout(rig: AnyRig, open_as: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        channel = open_as(rig.kind, elsewhere(rig.options, deaf.getsockname()[1]), patience=0.2)
        with pytest.raises(ChannelError, match="ops"):
            channel.send(rig.message, envelope())


@pytest.mark.parametrize("trouble", ["refuse", "postpone", "drop", "hang", "down", "wrong"])
def test_no_error_and_no_log_line_shows_a_secret(
    rig: AnyRig, open_as: Open, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="httpx")
    options = rig.options
    if trouble == "down":
        options = elsewhere(options, closed_port())
    elif trouble == "wrong":
        options = {name: _spoiled(value, rig.secret) for name, value in options.items()}
    else:
        getattr(rig, trouble)()

    with pytest.raises(ChannelError) as caught:
        open_as(rig.kind, options, patience=0.3).send(rig.message, envelope())

    assert rig.secret not in everything_said(caught.value)
    assert rig.secret not in caplog.text


def _spoiled(value: Any, secret: str) -> Any:
    return value.replace(secret, f"{secret}-wrong") if isinstance(value, str) else value


def test_a_wrong_credential_is_refused_with_the_option_to_fix(rig: AnyRig, open_as: Open) -> None:
    options = {name: _spoiled(value, rig.secret) for name, value in rig.options.items()}

    with pytest.raises(Refused, match=r"channels\.ops\.(token|url|username|routing_key)"):
        open_as(rig.kind, options).send(rig.message, envelope())


def test_check_sees_what_works_and_what_does_not(rig: AnyRig, open_as: Open) -> None:
    assert all(line.ok for line in open_as(rig.kind, rig.options).check())

    broken = list(open_as(rig.kind, elsewhere(rig.options, closed_port())).check())
    assert [line.ok for line in broken] == [False]
    assert rig.secret not in str(broken)
    assert rig.arrived() == 0


def test_a_message_in_the_wrong_dialect_is_refused(rig: AnyRig, open_as: Open) -> None:
    with pytest.raises(Refused, match="bug"):
        open_as(rig.kind, rig.options).send(PlainMessage("hello"), envelope())


def test_close_may_be_called_twice(rig: AnyRig, open_as: Open) -> None:
    channel = open_as(rig.kind, rig.options)
    channel.send(rig.message, envelope())
    channel.close()
    channel.close()


@pytest.mark.parametrize("kind", CHANNELS)
def test_a_misspelt_option_is_named_and_no_value_shown(kind: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CHANNELS[kind].Config.model_validate({"tokne": "hush-hush", "token": "hush-hush", "url": "hush-hush"})

    assert "tokne" in str(caught.value)
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize("kind", CHANNELS)
def test_a_configuration_does_not_show_its_secret(kind: str) -> None:
    with RIGS[kind]() as rig:
        assert rig.secret not in repr(CHANNELS[kind].Config.model_validate(rig.options))
