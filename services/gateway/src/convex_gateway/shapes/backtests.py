"""Backtests on the wire: what a rule would have made of the observations that are kept."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from pydantic import Field

from convex_gateway.shapes.body import Answer, Body, Labels, Moment
from convex_gateway.shapes.rules import RuleDraft

Begin = Annotated[Moment | None, Field(alias="from", description="A day before `to` if absent")]
End = Annotated[Moment | None, Field(alias="to", description="Not included; now if absent")]


class BacktestAsked(Body):
    """Over which period; of which series."""

    begin: Begin = None
    end: End = None
    labels: Labels = Field(default_factory=dict, description="Only series with these labels among theirs")


class BacktestDraft(RuleDraft):
    """A rule that need not exist, and over which period."""

    begin: Begin = None
    end: End = None


class Firing(Answer):
    """One episode."""

    began_at: dt.datetime
    ended_at: dt.datetime | None = Field(description="null: it would still fire at the end of the period")
    value: float = Field(description="What was held against the limit when it began")
    context: dict[str, Any] = Field(description="As the alert would show it")


class BandPoint(Answer):
    """What an anomaly rule expected at a time, and what would have been usual."""

    at: dt.datetime
    expected: float
    low: float
    high: float


class TriedSeries(Answer):
    """One set of labels."""

    labels: dict[str, str]
    observations: int = Field(description="Those that were read, with what the rule had to see before the period")
    firings: list[Firing] = Field(description="The oldest first, 1,000 at most")
    band: list[BandPoint] = Field(description="Of anomaly rules, 400 at most; empty of all others")
    cut: bool = Field(description="There are more observations than are read: the oldest are left out")


class Backtest(Answer):
    """What a rule would have made of a period, decided as the processor decides."""

    begin: dt.datetime = Field(alias="from")
    end: dt.datetime = Field(alias="to")
    fired: int = Field(description="Episodes in all series")
    series: list[TriedSeries] = Field(description="20 at most, those observed last first")
    more: bool = Field(description="There are more series")
