"""What is foretold, on the wire."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, Literal

from pydantic import Field

from convex_gateway.shapes.body import Answer

Kind = Literal["next_alert", "anomaly", "escalation"]
Risk = Literal["low", "medium", "high", "critical"]


class Prediction(Answer):
    """One probability, and when."""

    kind: Kind
    horizon_seconds: int = Field(description="Within this time after `made_at`")
    probability: float
    risk: Risk
    expected_at: dt.datetime | None = Field(description="Half the chance lies before; null: not within a week")
    expected_from: dt.datetime | None = Field(description="A tenth of the chance lies before")
    expected_to: dt.datetime | None = Field(description="Nine tenths of the chance lie before")
    threshold: int | None = Field(description="Of an anomaly: more alerts than this within an hour")
    reason: str


class Action(Answer):
    """What may be done, and what speaks for it."""

    action: str
    because: str


class FrameworkPredictions(Answer):
    """All that is foretold of one framework."""

    framework_id: uuid.UUID
    framework_name: str
    made_at: dt.datetime
    written_by: str = Field(description="Whose words `reasoning` and `actions` are: `statistics`, or a model's name")
    reasoning: list[str]
    actions: list[Action]
    evidence: dict[str, Any]
    predictions: list[Prediction]


class Scores(Answer):
    """How good predictions were whose time is over."""

    scored: int
    accurate: int = Field(description="Of which the likelier of the two happened")
    brier: float | None = Field(description="The mean squared error of the probability: 0 is perfect")
    base_rate_brier: float | None = Field(description="What always saying the share that came would have scored")


class KindScores(Scores):
    """The same of one kind."""

    kind: Kind


class Bin(Answer):
    """Predictions of about the same probability: what was said of them, and how many came true."""

    foretold: float
    came: float
    scored: int


class Calibration(Scores):
    """How good they were, together, by kind, and by tenths of the probability."""

    kinds: list[KindScores]
    bins: list[Bin]


class Outcome(Answer):
    """What became of a prediction."""

    framework_id: uuid.UUID
    made_at: dt.datetime
    kind: Kind
    horizon_seconds: int
    due_at: dt.datetime
    probability: float
    risk: Risk
    threshold: int | None
    happened_at: dt.datetime | None
    was_accurate: bool
    brier: float


class ModelUse(Answer):
    """What was asked of a language model in the running UTC month; what is under way counts at the most it may cost."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float


class Predictions(Answer):
    """What is foretold, and how well that was done before."""

    made_at: dt.datetime | None = Field(description="null where nothing was foretold yet")
    frameworks: list[FrameworkPredictions] = Field(description="The 200 that should worry most, the worst first")
    calibration: Calibration = Field(description="Of the last `days` days")
    outcomes: list[Outcome] = Field(description="The last 50")
    model: ModelUse
