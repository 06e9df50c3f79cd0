"""Logs: one JSON line for each event on stdout, in the form that Cloud Logging reads.

Every line has a stable `action`, which metrics, alerts and queries use. No line holds a secret or a
message's content. The text of an unexpected exception may quote either, so a line holds only the
exception's type and the place that raised it.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType, TracebackType

from smartlink.domain.message import Summary
from smartlink.domain.traceparent import traceparent_of

_LOGGER = logging.getLogger("smartlink")
_BOUND: ContextVar[Mapping[str, object]] = ContextVar("bound", default=MappingProxyType({}))
_HEX_32, _HEX_16 = re.compile("[0-9a-f]{32}"), re.compile("[0-9a-f]{16}")  # a trace's, a span's id
_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode
_TRACE, _SPAN = "logging.googleapis.com/trace", "logging.googleapis.com/spanId"
_PROJECT = [""]  # of the traces of messages; `configure` and `traces_in` set it
_VALUE_LIMIT = 2_000  # characters; an entry of Cloud Logging holds 256 KB

DEBUG, INFO, WARNING, ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR


class JsonFormatter(logging.Formatter):
    """Formats a log record as a line of Cloud Logging's structured logs."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line. A record of another logger gets the action `library`."""
        fields: Mapping[str, object] = getattr(record, "fields", {"action": "library"})
        at = datetime.fromtimestamp(record.created, UTC).isoformat()
        line: dict[str, object] = {
            "severity": record.levelname,
            "message": record.getMessage()[:_VALUE_LIMIT],
            "time": at,
            **{name: _plain(value) for name, value in fields.items() if value is not None},
        }
        if record.exc_info and record.exc_info[1]:
            line["error"] = describe(record.exc_info[1])
            line["stack"] = where(record.exc_info[2])
        return _encode(line)


def _plain(value: object) -> object:
    if isinstance(value, str):
        return value if len(value) <= _VALUE_LIMIT else value[:_VALUE_LIMIT]
    return value if isinstance(value, (int, float, dict, list)) else str(value)[:_VALUE_LIMIT]


def configure(level: int = INFO) -> None:
    """Sends every logger's records to stdout as JSON. Each process calls it once.

    It switches off what finds out the thread and the process, because no line tells them.
    """
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    _LOGGER.setLevel(level)


def traces_in(project: str) -> None:
    """Names the project that the traces of messages belong to, once the settings are read."""
    _PROJECT[0] = project


def event(action: str, text: str, severity: int = INFO, **fields: object) -> None:
    """Logs what happened. `text` is for people, and `action` for machines.

    It makes the record itself, because `Logger.log` also finds out the calling line. That costs
    time, and the action tells the place already.
    """
    if _LOGGER.isEnabledFor(severity):
        record = logging.LogRecord(_LOGGER.name, severity, "", 0, text, None, None)
        record.fields = {"action": action, **_BOUND.get(), **fields}
        _LOGGER.handle(record)


def message_event(message: Summary, action: str, text: str, severity: int, **more: object) -> None:
    """Logs what happened to a message, under its own trace."""
    event(
        action,
        text,
        severity,
        **message_trace(str(_BOUND.get().get("tenant", "")), message),
        messageId=message.id,
        document=message.document,
        command=message.type,
        **more,
    )


def message_trace(tenant: str, message: Summary) -> dict[str, object]:
    """Returns the log fields by which Cloud Logging shows a message's way as one trace. The call's
    own, if it is another one, stays in `callTrace`."""
    call = _BOUND.get().get(_TRACE)
    if message.trace is None and call is not None:
        return {}
    own = trace_fields(traceparent_of(tenant, message), _PROJECT[0])
    return own if call in (None, own[_TRACE]) else {**own, "callTrace": call}


def call_trace() -> str | None:
    """Returns the `traceparent` of the call that is being answered, if it has one."""
    call = _BOUND.get()
    trace, span = str(call.get(_TRACE, "")).rpartition("/")[2], call.get(_SPAN)
    return f"00-{trace}-{span}-01" if trace and span else None


def surprise(action: str, text: str, error: BaseException, **fields: object) -> None:
    """Logs the type and the stack of an unexpected exception, but not its text."""
    event(action, text, ERROR, error=describe(error), stack=where(error.__traceback__), **fields)


def describe(error: BaseException) -> str:
    """Describes an exception by its type and the line that raised it, without its text."""
    frames = traceback.extract_tb(error.__traceback__)
    last = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{last}"


def where(trace: TracebackType | None) -> str:
    """Writes a stack as lines of `file:line function`, the innermost last, without sources or
    values."""
    frames = traceback.extract_tb(trace)[-20:]
    return "\n".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Adds fields to every line that is logged inside the block, and to no line after it."""
    token = _BOUND.set({**_BOUND.get(), **fields})
    try:
        yield
    finally:
        _BOUND.reset(token)


def trace_fields(header: str | None, project: str) -> dict[str, object]:
    """Returns the log fields for a `traceparent` or `X-Cloud-Trace-Context` header."""
    if not header:
        return {}
    parts = header.replace("/", "-").split(";")[0].split("-")
    trace, span = (parts[1], parts[2]) if len(parts) >= 4 else (parts[0], "")  # noqa: PLR2004
    fields: dict[str, object] = {}
    if _HEX_32.fullmatch(trace):
        fields[_TRACE] = f"projects/{project}/traces/{trace}"
        if _HEX_16.fullmatch(span):
            fields[_SPAN] = span
    return fields
