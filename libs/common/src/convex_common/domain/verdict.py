"""What a person says of an alert afterwards. Each person has one word on each alert: the last one."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Whether it was worth being told."""

    USEFUL = "useful"
    FALSE_ALARM = "false_alarm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One person's word on one alert."""

    alert_id: uuid.UUID
    user_id: str
    verdict: Verdict
    at: dt.datetime
