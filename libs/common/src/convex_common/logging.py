"""JSON logs on stderr: one line per record, with workspace, alert and trace ids, and never a secret."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from opentelemetry import trace

_bound: ContextVar[Mapping[str, str]] = ContextVar("convex_log_fields", default={})  # noqa: B039 - never changed, only replaced

_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}
_SECRET_NAMES: Final = re.compile(r"password|passwd|secret|token|authorization|api_?key|cookie", re.IGNORECASE)
_SECRETS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"(authorization['\"]?\s*[:=]\s*['\"]?)(?:(?:bearer|basic)\s+)?[^\s'\",;]+", re.IGNORECASE), r"\1***"),
    (  # a mapping, as JSON or Python writes it, or pairs of bytes, as ASGI has headers
        re.compile(
            r"(['\"][\w-]{0,64}(?:secret|token|api[-_]?key|cookie|password|passwd|authorization)[\w-]{0,64}['\"]"
            r"(?::\s*b?|,\s*b)(['\"]))(?:\\.|(?!\2).)*",
            re.IGNORECASE,
        ),
        r"\1***",
    ),
    (
        re.compile(r"([?&][\w-]{0,64}(?:secret|token|api[-_]?key|password|passwd|code)=)[^\s&#'\"]+", re.IGNORECASE),
        r"\1***",
    ),
    (re.compile(r"\b(bearer[\s.])[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), r"\1***"),
    (re.compile(r"\bcvx_[A-Za-z0-9_-]+"), "cvx_***"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), "***"),
    (re.compile(r"([a-z][a-z0-9+.-]*://[^\s/:@'\"]*:)[^\s'\"]+(?=@)", re.IGNORECASE), r"\1***"),
    (re.compile(r"\b(password['\"]?\s*[:=]\s*['\"]?)[^\s'\",;&]+", re.IGNORECASE), r"\1***"),
)


def configure(service: str, level: str) -> None:
    """Send every record of this process to stderr as JSON; called once by `main.py`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Add fields, such as workspace_id and alert_id, to every record logged inside the block by this thread or task."""
    token = _bound.set({**_bound.get(), **{name: str(value) for name, value in fields.items() if value is not None}})
    try:
        yield
    finally:
        _bound.reset(token)


def redacted(text: str) -> str:
    """The text without Authorization headers, tokens, API keys and passwords in addresses."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def masked(value: Any) -> Any:
    """A JSON value in which whatever is called like a secret reads `***`."""
    if isinstance(value, dict):
        return {name: "***" if _SECRET_NAMES.search(str(name)) else masked(one) for name, one in value.items()}
    if isinstance(value, list):
        return [masked(one) for one in value]
    return value


class JsonFormatter(logging.Formatter):
    """One JSON object per record: ts, level, logger, msg, service, bound fields, trace_id, span_id, then its extras."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "msg": redacted(record.getMessage()),
            "service": self._service,
            **_bound.get(),
        }
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = trace.format_trace_id(span.trace_id)
            line["span_id"] = trace.format_span_id(span.span_id)
        for name, value in record.__dict__.items():
            if name not in _STANDARD and not name.startswith("_"):
                line[name] = "***" if _SECRET_NAMES.search(name) else _shown(value)
        if record.exc_info:
            line["exception"] = redacted(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = redacted(record.stack_info)
        return msgspec.json.encode(line).decode()


def _shown(value: object) -> object:
    """A value as JSON can carry it, redacted; what has no JSON form is written as text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): "***" if _SECRET_NAMES.search(str(name)) else _shown(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(item) for item in value]
    return redacted(str(value))
