"""Logs: JSON lines on standard error, fixed event names with fields, and the correlation id of what is being done.

Conversation text, keys and completions never enter a log: callers pass ids, counts and reasons.
"""

import json
import logging
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from services.runtime.settings import SharedSettings

correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)
"""Set while one request or record is worked on; every log line of that work carries it."""

_FIELDS = "undertone_fields"
_OURS = ("services", "schemas", "undertone")
_REPEAT_SECONDS = 10.0


class Logger:
    """Writes events: a fixed snake_case name, and fields."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, /, **fields: Any) -> None:
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: Any) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: Any) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: Any) -> None:
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, /, **fields: Any) -> None:
        """Write an error with the stack trace of the exception being handled: for what was not expected."""
        self._write(logging.ERROR, event, fields, with_trace=True)

    def _write(self, level: int, event: str, fields: dict[str, Any], *, with_trace: bool = False) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={_FIELDS: fields}, exc_info=with_trace)


def get_logger(name: str) -> Logger:
    """The logger of a module."""
    return Logger(name)


def configure_logging(settings: SharedSettings, service: str) -> None:
    """Send everything to standard error in the chosen format; libraries speak from WARNING upwards."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(LibraryRepeats())
    handler.setFormatter(_JsonLines(service) if settings.log_format == "json" else _TextLines(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in _OURS:
        logging.getLogger(name).setLevel(settings.log_level)


class LibraryRepeats(logging.Filter):
    """Lets a library's message pass once in ten seconds, with how often it was withheld meanwhile.

    Libraries repeat themselves many times a second while a server is away; our own events pass always.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._written_at: dict[tuple[str, str], float] = {}
        self._withheld: Counter[tuple[str, str]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write this one."""
        if record.name.partition(".")[0] in _OURS:
            return True
        kind = (record.name, str(record.msg))
        now = self._clock()
        if now - self._written_at.get(kind, -_REPEAT_SECONDS) < _REPEAT_SECONDS:
            self._withheld[kind] += 1
            return False
        self._written_at[kind] = now
        if (withheld := self._withheld.pop(kind, 0)) > 0:
            setattr(record, _FIELDS, {"repeated": withheld})
        return True


def _trace_of(record: logging.LogRecord) -> str | None:
    """The stack with the exception's type, without its message: a message may quote what a customer wrote."""
    if not record.exc_info or record.exc_info[0] is None:
        return None
    kind, _, trace = record.exc_info
    return "".join(traceback.format_tb(trace)) + kind.__qualname__


class _JsonLines(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "event": record.getMessage(),
            "logger": record.name,
        }
        if (identifier := correlation_id.get()) is not None:
            line["correlation_id"] = identifier
        line |= getattr(record, _FIELDS, {})
        if (trace := _trace_of(record)) is not None:
            line["trace"] = trace
        return json.dumps(line, ensure_ascii=False, default=str)


class _TextLines(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        fields = " ".join(f"{name}={value}" for name, value in getattr(record, _FIELDS, {}).items())
        line = f"{moment} {record.levelname:7} {self._service} {record.getMessage()} {fields}".rstrip()
        trace = _trace_of(record)
        return line if trace is None else f"{line}\n{trace}"
