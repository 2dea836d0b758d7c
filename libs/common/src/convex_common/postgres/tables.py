"""The tables that SQLAlchemy Core statements name, as the migrations made them; a test holds both together."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData()


def _key(name: str = "workspace_id") -> Column[Any]:
    return Column(name, Uuid, primary_key=True)


def _time(name: str) -> Column[Any]:
    return Column(name, DateTime(timezone=True))


workspaces = Table(
    "workspaces",
    metadata,
    _key("id"),
    Column("slug", Text),
    Column("name", Text),
    Column("config_version", BigInteger),
    _time("created_at"),
    Column("timezone", Text),
)

workspace_feed = Table("workspace_feed", metadata, _key(), Column("epoch", Uuid), Column("next_offset", BigInteger))

members = Table(
    "members",
    metadata,
    _key(),
    Column("user_id", Text, primary_key=True),
    Column("role", Text),
    Column("name", Text),
    Column("email", Text),
    _time("created_at"),
)

sessions = Table(
    "sessions",
    metadata,
    _key(),
    _key("id"),
    Column("digest", LargeBinary),
    Column("user_id", Text),
    Column("key_id", Uuid),
    Column("role", Text),
    Column("operator", Boolean),
    Column("way", Text),
    Column("subject", Text),
    Column("email", Text),
    _time("created_at"),
    _time("last_seen_at"),
    _time("expires_at"),
)

api_keys = Table(
    "api_keys",
    metadata,
    _key(),
    _key("id"),
    Column("name", Text),
    Column("prefix", Text),
    Column("digest", LargeBinary),
    Column("role", Text),
    Column("scopes", ARRAY(Text)),
    Column("created_by", Text),
    _time("created_at"),
    _time("expires_at"),
    _time("last_used_at"),
    _time("revoked_at"),
)

frameworks = Table(
    "frameworks",
    metadata,
    _key(),
    _key("id"),
    Column("name", Text),
    Column("description", Text),
    Column("labels", JSONB),
    Column("source", Text),
    _time("created_at"),
    _time("updated_at"),
    _time("deleted_at"),
)

rules = Table(
    "rules",
    metadata,
    _key(),
    _key("id"),
    Column("framework_id", Uuid),
    Column("name", Text),
    Column("alert_type", Text),
    Column("metric", Text),
    Column("condition", Text),
    Column("threshold_value", Double),
    Column("change_percentage", Double),
    Column("window_seconds", Integer),
    Column("aggregation", Text),
    Column("for_seconds", Integer),
    Column("clear_value", Double),
    Column("sensitivity", Double),
    Column("horizon_seconds", Integer),
    Column("probability", Double),
    Column("heeds_verdicts", Boolean),
    Column("raised", JSONB(none_as_null=True)),
    Column("suppression_seconds", Integer),
    Column("severity", Text),
    Column("labels", JSONB),
    Column("channel_ids", ARRAY(Uuid)),
    Column("enabled", Boolean),
    _time("created_at"),
    _time("updated_at"),
    _time("deleted_at"),
)

channels = Table(
    "channels",
    metadata,
    _key(),
    _key("id"),
    Column("kind", Text),
    Column("name", Text),
    Column("config", JSONB),
    Column("secrets", LargeBinary),
    Column("min_severity", Text),
    Column("matchers", JSONB),
    Column("enabled", Boolean),
    _time("created_at"),
    _time("updated_at"),
    _time("deleted_at"),
)

silences = Table(
    "silences",
    metadata,
    _key(),
    _key("id"),
    Column("matchers", JSONB),
    _time("starts_at"),
    _time("ends_at"),
    Column("rrule", Text),
    Column("timezone", Text),
    Column("comment", Text),
    Column("created_by", Text),
    _time("created_at"),
    _time("over_at"),
    _time("expired_at"),
    Column("expired_by", Text),
)

alerts = Table(
    "alerts",
    metadata,
    _key(),
    _key("id"),
    Column("fingerprint", LargeBinary),
    Column("framework_id", Uuid),
    Column("rule_id", Uuid),
    Column("rule_name", Text),
    Column("alert_type", Text),
    Column("status", Text),
    Column("severity", Text),
    Column("title", Text),
    Column("labels", JSONB),
    Column("context", JSONB),
    Column("current_value", Double),
    Column("threshold_value", Double),
    Column("occurrences", BigInteger),
    _time("triggered_at"),
    _time("last_seen_at"),
    Column("acknowledged_by", Text),
    _time("acknowledged_at"),
    Column("resolved_by", Text),
    _time("resolved_at"),
    Column("resolution", Text),
    Column("resolution_notes", Text),
    Column("cleared", Boolean),
    Column("suppression_seconds", Integer),
    _time("last_notified_at"),
    Column("last_notified_severity", Text),
    Column("announced", Boolean),
    Column("announced_channels", ARRAY(Uuid)),
    Column("notifications_sent", Integer),
    Column("source", Text),
    _time("source_starts_at"),
    _time("source_ends_at"),
    Column("silenced_by", Uuid),
    _time("silenced_until"),
    Column("snoozed_by", Text),
    _time("snoozed_until"),
    Column("assigned_to", Text),
    Column("version", BigInteger),
    Column("verdicts_useful", Integer),
    Column("verdicts_false_alarm", Integer),
)

alert_verdicts = Table(
    "alert_verdicts",
    metadata,
    _key(),
    _key("alert_id"),
    Column("user_id", Text, primary_key=True),
    Column("verdict", Text),
    _time("at"),
)

notifications = Table(
    "notifications",
    metadata,
    _key(),
    _key("id"),
    Column("alert_id", Uuid),
    Column("cause", Text),
    Column("sequence", Integer),
    Column("reason", Text),
    Column("data", LargeBinary),
    _time("created_at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    _key(),
    _key("id"),
    Column("notification_id", Uuid),
    Column("channel_id", Uuid),
    Column("alert_id", Uuid),
    Column("target", Text),
    Column("status", Text),
    Column("attempts", SmallInteger),
    Column("claims", Integer),
    Column("expiries", SmallInteger),
    _time("due_at"),
    _time("next_attempt_at"),
    Column("lease_token", BigInteger),
    _time("lease_until"),
    Column("delayed_reason", Text),
    Column("last_error", Text),
    Column("traceparent", Text),
    _time("created_at"),
    _time("finished_at"),
)

delivery_recipients = Table(
    "delivery_recipients",
    metadata,
    _key(),
    Column("delivery_id", Uuid, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("code", SmallInteger),
    Column("answer", Text),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Uuid),
    Column("workspace_id", Uuid),
    Column("delivery_id", Uuid),
    Column("number", SmallInteger),
    Column("outcome", Text),
    Column("status_code", Integer),
    Column("error", Text),
    Column("answer", Text),
    _time("started_at"),
    Column("duration_ms", Double),
)

user_notifications = Table(
    "user_notifications",
    metadata,
    _key(),
    _key("id"),
    Column("user_id", Text),
    Column("notification_id", Uuid),
    Column("alert_id", Uuid),
    Column("cause", Text),
    Column("title", Text),
    Column("data", LargeBinary),
    _time("created_at"),
    _time("read_at"),
)

audit_log = Table(
    "audit_log",
    metadata,
    _key(),
    _time("at"),
    Column("actor", Text),
    Column("action", Text),
    Column("subject", Text),
    Column("detail", JSONB),
    Column("previous_hash", LargeBinary),
    Column("hash", LargeBinary),
    Column("sequence", BigInteger, primary_key=True),
    Column("trace_id", Text),
)

patterns = Table(
    "patterns",
    metadata,
    _key(),
    _key("id"),
    Column("key", Text),
    Column("kind", Text),
    Column("status", Text),
    Column("framework_id", Uuid),
    Column("rule_id", Uuid),
    Column("rule_name", Text),
    Column("lead_framework_id", Uuid),
    Column("lead_rule_id", Uuid),
    Column("lead_rule_name", Text),
    Column("confidence", SmallInteger),
    Column("occurrences", Integer),
    Column("evidence", JSONB),
    Column("recommendation", JSONB),
    _time("first_found_at"),
    _time("last_found_at"),
    _time("ended_at"),
    Column("decided_by", Text),
    _time("decided_at"),
    Column("applied", JSONB),
)
