"""Log lines are JSON, carry the correlation id, and never what a customer wrote."""

import json
import logging
from collections.abc import Iterator

import pytest

from services.runtime.logs import LibraryRepeats, configure_logging, correlation_id, get_logger
from services.runtime.settings import SharedSettings

log = get_logger("services.test")


@pytest.fixture(autouse=True)
def _levels_as_before() -> Iterator[None]:
    """What is configured here must not silence the tests that come after in the same process."""
    loggers = [logging.getLogger(name) for name in (None, "services", "schemas", "undertone")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


def test_a_line_is_json_with_event_fields_and_correlation_id(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(SharedSettings(log_format="json", log_level="INFO"), "ingress")
    token = correlation_id.set("c0ffee")
    try:
        log.info("batch_stored", rows=12)
    finally:
        correlation_id.reset(token)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["rows"], line["service"], line["correlation_id"]) == (
        "batch_stored",
        12,
        "ingress",
        "c0ffee",
    )


def test_a_trace_shows_where_it_broke_and_not_what_the_exception_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(SharedSettings(log_format="json"), "ingress")
    written_by_a_customer = "my card is " + str(4110 + 1)
    try:
        raise ValueError(written_by_a_customer)  # noqa: TRY301 - the message is the point
    except ValueError:
        log.exception("unexpected")
    written = capsys.readouterr().err
    assert "ValueError" in json.loads(written)["trace"]
    assert "4111" not in written


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(SharedSettings(log_level="ERROR"), "ingress")
    log.warning("quiet")
    assert capsys.readouterr().err == ""


def test_text_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(SharedSettings(log_format="text"), "sink")
    log.warning("kafka_unreachable", waited_seconds=5)
    assert "WARNING sink kafka_unreachable waited_seconds=5" in capsys.readouterr().err.replace("  ", " ")


def test_a_library_that_repeats_itself_is_written_once_in_a_while() -> None:
    now = 100.0
    repeats = LibraryRepeats(lambda: now)

    def said(name: str, message: str) -> bool:
        return repeats.filter(logging.LogRecord(name, logging.ERROR, "", 0, message, None, None))

    assert [said("aiokafka", "Unable to connect") for _ in range(3)] == [True, False, False]
    assert said("aiokafka", "another message")
    assert all(said("services.sink", "batch_stored") for _ in range(3))
    now += 11
    assert said("aiokafka", "Unable to connect")
