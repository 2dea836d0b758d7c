"""What the service tells, as frozen structs.

Fields that this version does not know are passed over, and words such as a status are plain strings, so that an older
client reads a newer server. Times are aware datetimes, ids strings.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was told. `as_dict` is the same as plain values."""

    def as_dict(self) -> dict[str, Any]:
        """Its fields as plain values of JSON."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


class Page(Model, Generic[T], frozen=True, kw_only=True):
    """Some items of a list. Lists of alerts also say where the live feed stood: watch `since` there."""

    items: list[T]
    next_cursor: str | None = None
    epoch: str | None = None
    offset: int | None = None


class VerdictCount(Model, frozen=True, kw_only=True):
    """How many people say so."""

    useful: int = 0
    false_alarm: int = 0


class Alert(Model, frozen=True, kw_only=True):
    """The open episode that triggers with the same fingerprint fold into."""

    id: str
    fingerprint: str
    status: str
    severity: str
    alert_type: str
    framework_id: str
    title: str
    occurrences: int
    triggered_at: datetime
    last_seen_at: datetime
    version: int
    rule_id: str | None = None
    rule_name: str = ""
    current_value: float | None = None
    threshold_value: float | None = None
    labels: dict[str, str] = {}
    context: dict[str, Any] = {}
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    resolved_by: str | None = None
    resolved_at: datetime | None = None
    resolution_notes: str | None = None
    silenced_by: str | None = None
    silenced_until: datetime | None = None
    snoozed_by: str | None = None
    snoozed_until: datetime | None = None
    assigned_to: str | None = None
    verdicts: VerdictCount = VerdictCount()

    @property
    def is_open(self) -> bool:
        """Whether it still wants somebody."""
        return self.status != "resolved"


class ProblemTold(Model, frozen=True, kw_only=True):
    """Why one of many was refused."""

    status: int
    title: str
    detail: str = ""


class BulkOutcome(Model, frozen=True, kw_only=True):
    """What became of one of many alerts: `alert` as it is now where it was done, `problem` where it was refused."""

    id: str
    ok: bool
    alert: Alert | None = None
    problem: ProblemTold | None = None


class BulkAnswer(Model, frozen=True, kw_only=True):
    """What became of each alert, in the order asked for."""

    items: list[BulkOutcome]


class DeliveryBrief(Model, frozen=True, kw_only=True):
    """One channel's part of a notification."""

    id: str
    channel_id: str
    channel_name: str
    channel_kind: str
    status: str


class TimelineEntry(Model, frozen=True, kw_only=True):
    """A change of an alert (`log`), a `notification`, or an `attempt` at delivering one; by its kind."""

    kind: str
    id: str
    at: datetime
    event: str | None = None
    reason: str | None = None
    count: int | None = None
    actor: str | None = None
    event_ids: list[str] = []
    offset: int | None = None
    detail: dict[str, Any] = {}
    trace_id: str | None = None
    cause: str | None = None
    sequence: int | None = None
    deliveries: list[DeliveryBrief] = []
    delivery_id: str | None = None
    channel_id: str | None = None
    channel_name: str | None = None
    channel_kind: str | None = None
    number: int | None = None
    outcome: str | None = None
    status_code: int | None = None
    error: str | None = None
    duration_ms: float | None = None


class Framework(Model, frozen=True, kw_only=True):
    """A monitored scope inside the workspace."""

    id: str
    name: str
    created_at: datetime
    updated_at: datetime
    description: str = ""
    labels: dict[str, str] = {}
    source: str | None = None


class Rule(Model, frozen=True, kw_only=True):
    """What decides on observations."""

    id: str
    framework_id: str
    name: str
    alert_type: str
    metric: str
    condition: str
    severity: str
    enabled: bool
    created_at: datetime
    updated_at: datetime
    version: int | None = None
    threshold_value: float | None = None
    change_percentage: float | None = None
    window_seconds: int | None = None
    aggregation: str | None = None
    for_seconds: int = 0
    clear_value: float | None = None
    sensitivity: float | None = None
    horizon_seconds: int | None = None
    probability: float | None = None
    heeds_verdicts: bool | None = None
    raised: dict[str, Any] | None = None
    suppression_seconds: int = 300
    labels: dict[str, str] = {}
    channel_ids: list[str] | None = None


class Matcher(Model, frozen=True, kw_only=True):
    """A test on one label of an alert; `op` is one of `=`, `!=`, `=~`, `!~`."""

    name: str
    value: str
    op: str = "="


class Channel(Model, frozen=True, kw_only=True):
    """A configured destination without its secrets; `generated_secret` comes once, with the answer to `create`."""

    id: str
    kind: str
    name: str
    config: dict[str, Any]
    min_severity: str
    enabled: bool
    created_at: datetime
    updated_at: datetime
    matchers: list[Matcher] = []
    generated_secret: str | None = None


class Silence(Model, frozen=True, kw_only=True):
    """Nobody is told of the alerts that all its matchers fit, while it is active."""

    id: str
    matchers: list[Matcher]
    starts_at: datetime
    ends_at: datetime
    state: str
    created_by: str
    created_at: datetime
    comment: str = ""
    rrule: str | None = None
    timezone: str | None = None
    active_until: datetime | None = None
    next_start: datetime | None = None
    expired_at: datetime | None = None
    expired_by: str | None = None


class SilencePreview(Model, frozen=True, kw_only=True):
    """What a silence would be about: alerts that are open now, the newest of them, and how many fired in a day."""

    open: int
    alerts: list[Alert]
    last_day: int
    cut: bool = False


class TestSent(Model, frozen=True, kw_only=True):
    """A test notification is on its way."""

    __test__ = False  # it is pytest's to know that this is no test

    status: str
    delivery_id: str


class Attempt(Model, frozen=True, kw_only=True):
    """One try of a delivery."""

    id: str
    number: int
    outcome: str
    started_at: datetime
    duration_ms: float
    status_code: int | None = None
    error: str | None = None
    answer: str | None = None


class Delivery(Model, frozen=True, kw_only=True):
    """One notification to one channel, with its ledger of attempts."""

    id: str
    notification_id: str
    cause: str
    channel_id: str
    channel_name: str
    channel_kind: str
    status: str
    failures: int
    created_at: datetime
    alert_id: str | None = None
    next_attempt_at: datetime | None = None
    delayed_reason: str | None = None
    last_error: str | None = None
    finished_at: datetime | None = None
    attempts: list[Attempt] = []


class Point(Model, frozen=True, kw_only=True):
    """What a series did from `at` on, for one step."""

    at: datetime
    min: float
    max: float
    avg: float
    last: float
    count: int


class Series(Model, frozen=True, kw_only=True):
    """The observations of one set of labels, put together by equal spans of time, the oldest first."""

    labels: dict[str, str]
    last_at: datetime
    last_value: float
    points: list[Point]
    cut: bool = False


class ObservedMetric(Model, frozen=True, kw_only=True):
    """A metric over a period; `more`: there are more series than were asked for."""

    framework_id: str
    metric: str
    step_seconds: float
    series: list[Series]
    more: bool = False


class MetricSeen(Model, frozen=True, kw_only=True):
    """A metric that was observed, and with which labels lately."""

    metric: str
    series: int
    last_at: datetime
    label_sets: list[dict[str, str]] = []


class Latency(Model, frozen=True, kw_only=True):
    """How long something takes, in milliseconds."""

    count: int
    mean: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class Queue(Model, frozen=True, kw_only=True):
    """What is in a queue, and how quick it is."""

    name: str
    active: int
    waiting: int
    delayed: int
    completed: int
    failed: int
    wait: Latency | None = None
    processing: Latency | None = None


class Quarantined(Model, frozen=True, kw_only=True):
    """Something that failed too often and waits for a person."""

    id: str
    queue: str
    kind: str
    reason: str
    attempts: int
    quarantined_at: datetime
    payload: str


class Moved(Model, frozen=True, kw_only=True):
    """What was taken out of quarantine, and how much is left."""

    ids: list[str]
    remaining: int


class JobRun(Model, frozen=True, kw_only=True):
    """A run of a job."""

    id: str
    slot: datetime
    status: str
    attempts: int
    requested_by: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    due_at: datetime | None = None
    last_error: str | None = None
    detail: dict[str, Any] | None = None
    kubernetes_job: str | None = None
    no_kubernetes_job: str | None = None


class Job(Model, frozen=True, kw_only=True):
    """A job of the installation: when it is due, and what became of its runs (`runs`: where one job was asked for)."""

    name: str
    schedule: str
    next_run: datetime
    running: bool
    suspended: bool
    runs_completed: int = 0
    runs_skipped: int = 0
    runs_failed: int = 0
    overdue: bool = False
    priority: str = ""
    last_run: datetime | None = None
    last_status: str | None = None
    last_success: datetime | None = None
    last_duration_seconds: float | None = None
    last_error: str | None = None
    suspended_by: str | None = None
    suspended_since: datetime | None = None
    runs: list[JobRun] = []


class JobAsked(Model, frozen=True, kw_only=True):
    """The run that was asked for."""

    run_id: str
    name: str
    slot: datetime
    status: str


class Accepted(Model, frozen=True, kw_only=True):
    """How many were accepted; each will be processed."""

    accepted: int
    event_ids: list[str] = []


class Me(Model, frozen=True, kw_only=True):
    """Who the token is."""

    user_id: str
    workspace_id: str
    role: str
