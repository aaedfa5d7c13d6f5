"""What is logged, in which form, and that no secret is in it."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from flowy_watch.log import LIBRARIES, Format, Level, configure

SECRET = "s3cr3t/valüe"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    names = (*LIBRARIES, "uvicorn.access")
    before = root.handlers[:], root.level, [logging.getLogger(name).level for name in names]
    yield
    structlog.reset_defaults()
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    for name, level in zip(names, before[2], strict=True):
        logging.getLogger(name).setLevel(level)
        logging.getLogger(name).disabled = False


class Written:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def start(self, level: Level = "info", format: Format = "json") -> Any:
        logging.getLogger().handlers.clear()  # pytest's own, which raise where the product must not
        configure(level, format, [SECRET, "1"])
        return structlog.get_logger()

    def text(self) -> str:
        out, err = self._capsys.readouterr()
        assert out == ""
        return err

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Written:
    return Written(capsys)


def fail() -> None:
    hidden_local = "local" + "-value"
    raise ValueError(f"refused {SECRET}, {len(hidden_local)}")


def test_an_event_is_a_json_line_with_an_instant_in_utc(written: Written) -> None:
    written.start().info("alert.opened", key_id="k1", level=2)
    (event,) = written.events()
    assert (event["event"], event["level"], event["key_id"]) == ("alert.opened", "info", "k1")
    assert event["timestamp"].endswith("Z")


def test_without_a_terminal_auto_means_json(written: Written) -> None:
    written.start(format="auto").info("a")
    assert written.events()[0]["event"] == "a"


def test_the_console_form_is_for_people(written: Written) -> None:
    written.start(format="console").info("alert.opened", key="k1")
    text = written.text()
    assert "alert.opened" in text
    assert "key=k1" in text
    assert not text.startswith("{")


def test_events_below_the_level_are_not_written(written: Written) -> None:
    log = written.start("warning")
    log.info("a")
    log.warning("b")
    assert [event["event"] for event in written.events()] == ["b"]


@pytest.mark.parametrize("format", ["json", "console"])
def test_a_secret_is_hidden_wherever_it_stands(written: Written, format: Format) -> None:
    log = written.start(format=format)
    log.info(f"with {SECRET}", plain=SECRET, url="https://h/?t=s3cr3t%2Fval%C3%BCe", token="flw_sk_abcdefgh")
    log.info("deep", a=[{"b": (SECRET,)}, {SECRET: 1}], error=ValueError(SECRET), raw=SECRET.encode())
    logging.getLogger("httpx").warning("GET %s", SECRET)
    text = written.text()
    assert "s3cr3t" not in text
    assert "abcdefgh" not in text
    assert text.count("[hidden]") >= 7


def test_a_very_short_secret_does_not_hide_half_of_the_line(written: Written) -> None:
    written.start().info("a", key="k1")
    assert written.events()[0]["key"] == "k1"


@pytest.mark.parametrize("format", ["json", "console"])
def test_an_exception_is_written_without_local_variables_and_secrets(written: Written, format: Format) -> None:
    log = written.start(format=format)
    for logger in (log, logging.getLogger("apscheduler.executors")):
        try:
            fail()
        except ValueError:
            logger.exception("job.failed")
    text = written.text()
    assert text.count("ValueError: refused [hidden], 11") == 2
    assert "local-value" not in text
    assert "s3cr3t" not in text


def test_libraries_are_heard_from_warning_on(written: Written) -> None:
    written.start("debug")
    for name in ("apscheduler", "httpx", "alembic.runtime", "uvicorn.error", "slack_sdk"):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("trouble in %s", name)
    logging.getLogger("uvicorn.access").warning("GET /")
    events = written.events()
    assert [event["logger"] for event in events] == [
        "apscheduler",
        "httpx",
        "alembic.runtime",
        "uvicorn.error",
        "slack_sdk",
    ]
    assert {event["level"] for event in events} == {"warning"}


def test_a_quieter_level_also_holds_for_libraries(written: Written) -> None:
    written.start("error")
    logging.getLogger("httpx").warning("trouble")
    assert written.text() == ""


def test_a_line_whose_arguments_do_not_fit_is_written_without_them(written: Written) -> None:
    written.start()
    logging.getLogger("httpx").warning("%d keys", SECRET)
    assert [event["event"] for event in written.events()] == ["%d keys"]


def test_setting_up_again_replaces_what_was_set_up(written: Written) -> None:
    written.start()
    configure("info", "json")
    logging.getLogger("httpx").warning("once")
    assert len(written.events()) == 1
