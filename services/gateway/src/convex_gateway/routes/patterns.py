"""Patterns: what the alert history repeats, and what people decide of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from dataclasses import asdict, replace
from functools import partial
from typing import Annotated, Any, Final

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from convex_common.domain.rehearsal import Basis, Observed, Why, changed, rehearse, setting
from convex_common.domain.replay import replay
from convex_common.domain.role import Role
from convex_common.errors import Conflict, NotFound
from convex_common.postgres import pasts, spans
from convex_common.postgres import patterns as rows
from convex_common.postgres.positions import position, raise_by_gateway
from convex_common.postgres.rules import Rule, rules
from convex_common.redis.cache.cache import Loaded
from convex_common.redis.cache.classes import PATTERNS
from convex_gateway.operations import Authorized, Call, Resource
from convex_gateway.pagination import PageAsked, cursor_of, cut
from convex_gateway.routes.backtests import MOST_SERIES, rule_of
from convex_gateway.routes.rules import changed_rule
from convex_gateway.shapes.patterns import Pattern, PatternKind, PatternPage, PatternPreview, PatternStatus
from convex_gateway.shapes.rules import RulePatch

resource = Resource("analytics")

PREVIEWED: Final = dt.timedelta(days=56)


@resource.operation("GET", "/analytics/patterns", role=Role.VIEWER, answer=PatternPage)
async def list_patterns(
    call: Authorized,
    asked: PageAsked,
    kind: Annotated[PatternKind | None, Query()] = None,
    status: Annotated[PatternStatus, Query()] = PatternStatus.OPEN,
    framework_id: uuid.UUID | None = None,
    rule_id: uuid.UUID | None = None,
    min_confidence: Annotated[int, Query(ge=0, le=100)] = 0,
) -> Response:
    """List patterns, those first found last first; the open ones unless another status is asked for."""
    wanted = {"kind": kind, "status": status, "framework_id": framework_id, "rule_id": rule_id}
    where = {name: value for name, value in wanted.items() if value is not None}
    after = asked.after

    async def load() -> Loaded:
        async with call.transaction() as connection:
            # Before the patterns, so that they are of this version at least.
            epoch, _, versions = await position(connection, call.workspace_id)
            found = await rows.page(
                connection,
                call.workspace_id,
                where=where,
                least_confidence=min_confidence,
                before=after,
                count=asked.limit + 1,
            )
        items, last = cut(found, asked.limit)
        page = PatternPage.model_validate({"items": items, "next_cursor": cursor_of(last.id if last else None)})
        return Loaded(page.model_dump_json(by_alias=True).encode(), epoch, versions[PATTERNS.name])

    spelled = f"list {kind} {status} {framework_id} {rule_id} {min_confidence} {after} {asked.limit}"
    answer = await call.gateway.cache.find(call.workspace_id, PATTERNS, spelled, load)
    return Response(answer.value, media_type="application/json")


@resource.operation("GET", "/analytics/patterns/{pattern_id}", role=Role.VIEWER, answer=Pattern)
async def get_pattern(call: Authorized, pattern_id: uuid.UUID) -> object:
    """Get a pattern."""
    async with call.transaction() as connection:
        return await _found(connection, call, pattern_id)


@resource.operation(
    "GET", "/analytics/patterns/{pattern_id}/preview", role=Role.VIEWER, answer=PatternPreview, errors=(409,)
)
async def preview_pattern(call: Authorized, pattern_id: uuid.UUID) -> object:
    """Preview what the proposed change would have made of the past.

    Where the observations of the rule's metric are kept, the rule as it is and as proposed is decided anew on them, as
    the processor decides. `on_record` goes through the alerts of the last eight weeks with both; where nothing can be
    decided anew, `before` and `after` are those, and `why` says so.
    """
    now = dt.datetime.now(dt.UTC)
    async with call.transaction() as connection:
        pattern = await _found(connection, call, pattern_id)
        stored, change = await _proposed(connection, call, pattern)
        since = now - PREVIEWED
        on_record = await spans.find(connection, call.workspace_id, stored.framework_id, stored.id, since)
        observed = await pasts.read(
            connection,
            call.workspace_id,
            stored.framework_id,
            stored.metric,
            {},
            begin=since,
            end=now,
            count=MOST_SERIES + 1,
        )
    rule = replace(rule_of(stored.id, asdict(stored)), enabled=stored.enabled)
    values = {field: one["to"] for field, one in change.items()}
    seen = [Observed(one.labels, one.samples, one.cut) for one in observed[:MOST_SERIES]]
    # One at a time and in a thread: it takes up to seconds, and others are served meanwhile.
    async with call.gateway.trials:
        found = await asyncio.to_thread(rehearse, call.workspace_id, rule, values, seen, on_record, now)
    present, proposed = setting(rule), setting(changed(rule, values))
    recorded = {
        "since": since,
        "before": asdict(replay(on_record, present, present, now)),
        "after": asdict(replay(on_record, present, proposed, now)),
    }
    if isinstance(found, Why):
        return {**recorded, "change": change, "basis": Basis.ALERTS, "why": found.value, "on_record": recorded}
    return {
        "since": found.since,
        "before": asdict(found.before),
        "after": asdict(found.after),
        "change": change,
        "basis": Basis.OBSERVATIONS,
        "series": len(seen),
        "more": len(observed) > MOST_SERIES,
        "on_record": recorded,
    }


@resource.operation(
    "POST", "/analytics/patterns/{pattern_id}/dismiss", role=Role.RESPONDER, answer=Pattern, errors=(409,)
)
async def dismiss_pattern(call: Authorized, pattern_id: uuid.UUID) -> object:
    """Dismiss a pattern: it is not proposed again."""
    async with call.transaction() as connection:
        pattern = _undecided(await _found(connection, call, pattern_id, to_decide=True))
        decided = await _decided(call, connection, pattern, PatternStatus.DISMISSED)
        await call.audit(connection, "pattern.dismissed", f"pattern:{pattern.id}", **_told(pattern))
        return decided


@resource.operation("POST", "/analytics/patterns/{pattern_id}/apply", role=Role.EDITOR, answer=Pattern, errors=(409,))
async def apply_pattern(call: Authorized, pattern_id: uuid.UUID) -> object:
    """Change the rule as a pattern proposes.

    It is the change that `PATCH /rules/{rule_id}` makes, with its checks and its record on the audit log. 409 where the
    rule has been changed since the pattern was found: what was previewed would not be what happens.
    """
    async with call.configuring() as connection:
        pattern = _undecided(await _found(connection, call, pattern_id, to_decide=True))
        rule, change = await _proposed(connection, call, pattern)
        patch = RulePatch.model_validate({field: one["to"] for field, one in change.items()})
        await changed_rule(call, connection, rule.id, patch)
        applied = await _decided(call, connection, pattern, PatternStatus.APPLIED, change)
        await call.audit(connection, "pattern.applied", f"pattern:{pattern.id}", **_told(pattern), change=change)
        return applied


async def _found(
    connection: AsyncConnection, call: Call, pattern_id: uuid.UUID, *, to_decide: bool = False
) -> rows.Pattern:
    pattern = await rows.find(connection, call.workspace_id, pattern_id, to_decide=to_decide)
    if pattern is None:
        raise NotFound("there is no such pattern in this workspace")
    return pattern


async def _decided(
    call: Call,
    connection: AsyncConnection,
    pattern: rows.Pattern,
    status: PatternStatus,
    change: dict[str, Any] | None = None,
) -> rows.Pattern:
    """The pattern after the caller has decided; lists that are cached end with the commit."""
    decided = await rows.decide(connection, call.workspace_id, pattern.id, status, call.principal.user_id, change)
    version = await raise_by_gateway(connection, call.workspace_id, PATTERNS.name)
    call.after_commit(partial(call.gateway.cache.changed, call.workspace_id, PATTERNS, version))
    return decided


def _undecided(pattern: rows.Pattern) -> rows.Pattern:
    if pattern.status != PatternStatus.OPEN:
        raise Conflict(f"the pattern is {pattern.status} already")
    return pattern


async def _proposed(connection: AsyncConnection, call: Call, pattern: rows.Pattern) -> tuple[Rule, dict[str, Any]]:
    """The rule and the change; Conflict where there is none, or where the rule is not what it was."""
    change = dict(pattern.recommendation["change"])
    if not change or pattern.rule_id is None:
        raise Conflict("the pattern proposes no change of a rule", cure="do what its action says, and dismiss it")
    rule = await rules.find(connection, call.workspace_id, pattern.rule_id)
    if rule is None:
        raise Conflict("the rule was deleted")
    moved = sorted(field for field, one in change.items() if getattr(rule, field) != one["from"])
    if moved and pattern.status == PatternStatus.OPEN:
        raise Conflict(
            f"the rule's {', '.join(moved)} was changed since the pattern was found",
            cure="patterns are looked for again every six hours",
        )
    return rule, change


def _told(pattern: rows.Pattern) -> dict[str, Any]:
    return {"kind": pattern.kind, "rule_name": pattern.rule_name, "confidence": pattern.confidence}
