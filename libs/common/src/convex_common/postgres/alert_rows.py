"""Alerts as rows: the columns in the order of the fields, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

import msgspec
from psycopg.types.numeric import Int4, Int8

from convex_common.domain.alert import Alert, Resolution, Status
from convex_common.domain.severity import Severity

COLUMNS = tuple(field.name for field in fields(Alert))
SELECTED = ", ".join(f"a.{name}" for name in COLUMNS)

_TYPES = {
    "workspace_id": "uuid", "id": "uuid", "fingerprint": "bytea", "framework_id": "uuid", "rule_id": "uuid",
    "labels": "jsonb", "context": "jsonb", "current_value": "float8", "threshold_value": "float8",
    "occurrences": "int8", "triggered_at": "timestamptz", "last_seen_at": "timestamptz",
    "suppression_seconds": "int4", "acknowledged_at": "timestamptz", "resolved_at": "timestamptz",
    "cleared": "bool", "last_notified_at": "timestamptz", "announced": "bool", "announced_channels": "uuid[]",
    "notifications_sent": "int4", "source_starts_at": "timestamptz", "source_ends_at": "timestamptz", "version": "int8",
    "silenced_by": "uuid", "silenced_until": "timestamptz", "snoozed_until": "timestamptz",
    "verdicts_useful": "int4", "verdicts_false_alarm": "int4",
}  # fmt: skip
_SENT_AS = {"jsonb": "text", "uuid[]": "text"}
_encode = msgspec.json.Encoder().encode


def column_type(name: str) -> str:
    """The PostgreSQL type of a column."""
    return _TYPES.get(name, "text")


def array_parameter(name: str) -> str:
    """The parameter that carries a column's values for many rows; JSON and nested arrays travel as text."""
    kind = column_type(name)
    return f"%({name})b::{_SENT_AS.get(kind, kind)}[]"


def unpacked(name: str, alias: str) -> str:
    """The expression that turns what was sent for a column back into its type."""
    kind = column_type(name)
    return f"{alias}.{name}::{kind}" if kind in _SENT_AS else f"{alias}.{name}"


def columns_of(alerts: Sequence[Alert], names: Iterable[str]) -> dict[str, list[Any]]:
    """The values of the named columns, a list each."""
    return {name: [_sent(name, getattr(alert, name)) for alert in alerts] for name in names}


def alert_of(row: Sequence[Any]) -> Alert:
    """The alert of a row selected as SELECTED."""
    values = dict(zip(COLUMNS, row, strict=True))
    values["status"] = Status(values["status"])
    values["severity"] = Severity(values["severity"])
    values["announced_channels"] = tuple(values["announced_channels"])
    values["fingerprint"] = bytes(values["fingerprint"])
    if values["resolution"] is not None:
        values["resolution"] = Resolution(values["resolution"])
    if values["last_notified_severity"] is not None:
        values["last_notified_severity"] = Severity(values["last_notified_severity"])
    return Alert(**values)


def _sent(name: str, value: Any) -> Any:
    kind = column_type(name)
    if kind == "jsonb":
        return _encode(value).decode()
    if kind == "uuid[]":
        return "{" + ",".join(str(item) for item in value) + "}"
    if value is None:
        return None
    if kind == "int8":
        return Int8(value)
    if kind == "int4":
        return Int4(value)
    if kind == "text":
        return str(value)
    return value
