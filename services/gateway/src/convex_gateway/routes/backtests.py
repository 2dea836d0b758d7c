"""Backtests: what a rule, or one that is only thought of, would have made of the observations that are kept."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import msgspec
from starlette.responses import Response

from convex_common.domain.backtest import Trial, lead_in, try_out
from convex_common.domain.bar import Raised
from convex_common.domain.role import Role
from convex_common.domain.rule import Aggregation, AlertType, Condition, Rule
from convex_common.domain.severity import Severity
from convex_common.errors import Invalid, NotFound
from convex_common.postgres import pasts
from convex_common.postgres import rules as rows
from convex_gateway.known import check_framework
from convex_gateway.operations import Authorized, Resource
from convex_gateway.problems import Problems
from convex_gateway.shapes.backtests import Backtest, BacktestAsked, BacktestDraft
from convex_gateway.shapes.rules import RuleDraft, faults, settled

resource = Resource("rules")

USUAL_PERIOD: Final = dt.timedelta(days=1)
LONGEST_PERIOD: Final = dt.timedelta(days=31)
NEVER: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
MOST_SERIES: Final = 20
MOST_FIRINGS: Final = 1000
MOST_POINTS: Final = 400

_encode = msgspec.json.Encoder().encode


@resource.operation("POST", "/rules/backtest", role=Role.VIEWER, answer=Backtest, errors=(404,))
async def backtest_draft(call: Authorized, draft: BacktestDraft) -> Response:
    """Try a rule that need not exist on the observations that are kept.

    Of a rule with the type forecast it is looked ahead from 48 moments at most.
    """
    if wrong := faults(draft):
        raise Problems(wrong)
    values = settled(RuleDraft.model_validate(draft.model_dump(include=set(RuleDraft.model_fields))))
    return await _tried(call, rule_of(uuid.UUID(int=0), values), {}, draft.begin, draft.end)


@resource.operation("POST", "/rules/{rule_id}/backtest", role=Role.VIEWER, answer=Backtest)
async def backtest_rule(call: Authorized, rule_id: uuid.UUID, asked: BacktestAsked) -> Response:
    """Try a rule on the observations that are kept."""
    async with call.transaction() as connection:
        found = await rows.rules.find(connection, call.workspace_id, rule_id)
    if found is None:
        raise NotFound("there is no such rule in this workspace")
    return await _tried(call, rule_of(rule_id, asdict(found)), asked.labels, asked.begin, asked.end)


async def _tried(
    call: Authorized, rule: Rule, labels: Mapping[str, str], begin: dt.datetime | None, end: dt.datetime | None
) -> Response:
    first, last = _period(begin, end, dt.datetime.now(dt.UTC))
    async with call.transaction() as connection:
        found = await pasts.read(
            connection,
            call.workspace_id,
            rule.framework_id,
            rule.metric,
            labels,
            begin=max(NEVER, first - dt.timedelta(seconds=lead_in(rule))),
            end=last,
            count=MOST_SERIES + 1,
        )
        if not found:
            await check_framework(connection, call.workspace_id, rule.framework_id)
    # One at a time and in a thread: it takes up to seconds, and others are served meanwhile.
    async with call.gateway.trials:
        series = await asyncio.to_thread(_series, rule, found[:MOST_SERIES], first.timestamp(), last.timestamp())
    told = {
        "from": first,
        "to": last,
        "fired": sum(len(one["firings"]) for one in series),
        "series": series,
        "more": len(found) > MOST_SERIES,
    }
    return Response(_encode(told), media_type="application/json")


def _series(rule: Rule, found: Sequence[pasts.Past], begin: float, end: float) -> list[dict[str, Any]]:
    return [_told(one, try_out(rule, one.samples, begin, end)) for one in found]


def _told(past: pasts.Past, trial: Trial) -> dict[str, Any]:
    every = -(-len(trial.band) // MOST_POINTS) or 1
    return {
        "labels": past.labels,
        "observations": len(past.samples),
        "firings": [
            {
                "began_at": _moment(one.began),
                "ended_at": None if one.ended is None else _moment(one.ended),
                "value": one.value,
                "context": one.context,
            }
            for one in trial.firings[:MOST_FIRINGS]
        ],
        "band": [
            {"at": _moment(one.at), "expected": one.expected, "low": one.low, "high": one.high}
            for one in trial.band[::every]
        ],
        "cut": past.cut,
    }


def _moment(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _period(begin: dt.datetime | None, end: dt.datetime | None, now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    last = end or now
    if last <= NEVER:
        raise Invalid("to", "is before anything was observed")
    first = begin or max(NEVER, last - USUAL_PERIOD)
    if first < NEVER:
        raise Invalid("from", "is before anything was observed")
    if first >= last:
        raise Invalid("from", "must be before `to`")
    if last - first > LONGEST_PERIOD:
        raise Invalid("from", f"may be {LONGEST_PERIOD.days} days before `to` at most")
    return first, last


def rule_of(rule_id: uuid.UUID, values: Mapping[str, Any]) -> Rule:
    """The rule as the domain has it, enabled or not."""
    return Rule(
        id=rule_id,
        framework_id=values["framework_id"],
        name=values["name"],
        alert_type=AlertType(values["alert_type"]),
        metric=values["metric"],
        condition=Condition(values["condition"]),
        threshold_value=values["threshold_value"],
        change_percentage=values["change_percentage"],
        window_seconds=values["window_seconds"],
        aggregation=None if values["aggregation"] is None else Aggregation(values["aggregation"]),
        for_seconds=values["for_seconds"],
        clear_value=values["clear_value"],
        suppression_seconds=values["suppression_seconds"],
        severity=Severity(values["severity"]),
        labels=values["labels"],
        channel_ids=None,
        enabled=True,
        sensitivity=values["sensitivity"],
        horizon_seconds=values["horizon_seconds"],
        probability=values["probability"],
        heeds_verdicts=values["heeds_verdicts"] is not False,
        raised=Raised.of(values.get("raised")),
    )
