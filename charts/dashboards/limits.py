"""The figures at which rules fire, drawn as lines and colours. A test compares them with the rules themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FIRES: Final[Mapping[str, float]] = {
    "ConvexAlertsLatencyHigh": 500,
    "ConvexAlertsLatencyCritical": 1000,
    "ConvexAlertsHealthScoreLow": 70,
    "ConvexAlertsSelfAuditFailing": 300,
    "ConvexAlertsFailedJobs": 10,
    "ConvexAlertsCacheHitRateLow": 0.7,
    "ConvexAlertsEventsStuck": 120,
    "ConvexAlertsDeliveriesStuck": 300,
    "ConvexAlertsNotificationsDelayed": 50,
    "ConvexAlertsEventsRefused": 0.05,
    "ConvexAlertsWebSocketErrors": 50,
    "ConvexAlertsSnapshotHeld": 600,
    "ConvexAlertsPartitionsMissing": 172800,
    "ConvexAlertsClockSkew": 2,
    "ConvexAlertsFileDescriptors": 0.8,
    "ConvexAlertsJobOverdue": 3600,
}
"""The first number that each compares with."""

LATENCY_MS: Final = (FIRES["ConvexAlertsLatencyHigh"], FIRES["ConvexAlertsLatencyCritical"])
"""Warning and critical, of the p95 from acceptance to commit."""
HEALTH: Final = FIRES["ConvexAlertsHealthScoreLow"]
PROVED: Final = FIRES["ConvexAlertsSelfAuditFailing"]
"""Seconds since an alert of the installation's own came through."""
FAILED_JOBS: Final = FIRES["ConvexAlertsFailedJobs"]
HIT_RATE: Final = 100 * FIRES["ConvexAlertsCacheHitRateLow"]
"""Percent."""
EVENT_WAITS: Final = FIRES["ConvexAlertsEventsStuck"]
DELIVERY_WAITS: Final = FIRES["ConvexAlertsDeliveriesStuck"]
PUT_OFF: Final = FIRES["ConvexAlertsNotificationsDelayed"]
REFUSED: Final = 100 * FIRES["ConvexAlertsEventsRefused"]
"""Percent of the gateways' answers that are 5xx."""
SOCKET_FAULTS: Final = FIRES["ConvexAlertsWebSocketErrors"]
SNAPSHOT: Final = FIRES["ConvexAlertsSnapshotHeld"]
PARTITIONS: Final = FIRES["ConvexAlertsPartitionsMissing"]
CLOCK: Final = FIRES["ConvexAlertsClockSkew"]
OPEN_FILES: Final = 100 * FIRES["ConvexAlertsFileDescriptors"]
"""Percent of those that the process may have open."""
OVERDUE: Final = FIRES["ConvexAlertsJobOverdue"]

OBJECTIVE: Final = 99.9
"""Percent of notifications, over 30 days, that are with their channel within TOLD_WITHIN seconds."""
TOLD_WITHIN: Final = 60
