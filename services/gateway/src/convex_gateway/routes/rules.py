"""Rules: what decides on observations."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from convex_common.domain.alert import Reason
from convex_common.domain.audit import differences
from convex_common.domain.role import Role
from convex_common.domain.rule import AlertType
from convex_common.errors import Invalid, NotFound, PreconditionFailed
from convex_common.postgres import rules as rows
from convex_common.postgres.channels import channels
from convex_common.postgres.frameworks import frameworks
from convex_common.postgres.positions import position
from convex_common.postgres.withdrawals import withdraw_rule
from convex_common.redis.cache.cache import Loaded
from convex_common.redis.cache.classes import RULES
from convex_gateway.limits.quotas import Quota
from convex_gateway.operations import Authorized, Call, Resource
from convex_gateway.pagination import PageAsked, cursor_of, cut
from convex_gateway.preconditions import IfMatch, etag, version_in
from convex_gateway.problems import FieldError, Problems
from convex_gateway.shapes.body import changes
from convex_gateway.shapes.rules import Rule, RuleDraft, RulePage, RulePatch, faults, meaningless, settled

resource = Resource("rules")

ETAG = {"ETag": "The rule's version, for If-Match"}


@resource.operation("POST", "/rules", role=Role.EDITOR, answer=Rule, status=201, headers=ETAG)
async def create_rule(call: Authorized, draft: RuleDraft, response: Response) -> object:
    """Make a rule."""
    _check(draft)
    async with call.configuring() as connection:
        if await frameworks.missing(connection, call.workspace_id, {draft.framework_id}):
            raise Invalid("framework_id", "there is no such framework in this workspace")
        await _check_channels(connection, call.workspace_id, draft.channel_ids)
        await call.within(Quota.RULES, connection)
        values = settled(draft)
        made = await rows.rules.create(connection, call.workspace_id, call.gateway.ids.new(), values)
        await call.audit(connection, "rule.created", f"rule:{made.id}", **values)
        response.headers["ETag"] = etag(made.version)
        return made


@resource.operation("GET", "/rules", role=Role.VIEWER, answer=RulePage)
async def list_rules(
    call: Authorized,
    asked: PageAsked,
    framework_id: uuid.UUID | None = None,
    enabled: bool | None = None,
    alert_type: Annotated[AlertType | None, Query()] = None,
) -> Response:
    """List the rules, the oldest first."""
    wanted = {"framework_id": framework_id, "enabled": enabled, "alert_type": alert_type}
    where = {name: value for name, value in wanted.items() if value is not None}
    after = asked.after

    async def load() -> Loaded:
        async with call.transaction() as connection:
            # Before the rules, so that they are of this version at least.
            epoch, _, versions = await position(connection, call.workspace_id)
            found = await rows.rules.page(
                connection, call.workspace_id, after=after, count=asked.limit + 1, where=where
            )
        items, last = cut(found, asked.limit)
        page = RulePage.model_validate({"items": items, "next_cursor": cursor_of(last.id if last else None)})
        return Loaded(page.model_dump_json().encode(), epoch, versions[RULES.name])

    spelled = f"list {framework_id} {enabled} {alert_type} {after} {asked.limit}"
    answer = await call.gateway.cache.find(call.workspace_id, RULES, spelled, load)
    return Response(answer.value, media_type="application/json")


@resource.operation("GET", "/rules/{rule_id}", role=Role.VIEWER, answer=Rule, headers=ETAG)
async def get_rule(call: Authorized, rule_id: uuid.UUID, response: Response) -> object:
    """Get a rule."""
    async with call.transaction() as connection:
        rule = _found(await rows.rules.find(connection, call.workspace_id, rule_id))
    response.headers["ETag"] = etag(rule.version)
    return rule


@resource.operation("PATCH", "/rules/{rule_id}", role=Role.EDITOR, answer=Rule, errors=(412,), headers=ETAG)
async def change_rule(
    call: Authorized, rule_id: uuid.UUID, patch: RulePatch, response: Response, if_match: IfMatch = None
) -> object:
    """Change a rule; it must hold together as a whole afterwards.

    Disabling it, or giving it another metric, resolves its open alerts, since nothing could clear them any more.
    """
    seen = version_in(if_match, "a rule")
    async with call.configuring() as connection:
        rule = await changed_rule(call, connection, rule_id, patch, seen=seen)
    response.headers["ETag"] = etag(rule.version)
    return rule


async def changed_rule(
    call: Call, connection: AsyncConnection, rule_id: uuid.UUID, patch: RulePatch, *, seen: int | None = None
) -> rows.Rule:
    """The rule after a change within a transaction of `configuring`: checked as a whole, and on the audit log.

    PreconditionFailed where it is not of the version that was `seen`.
    """
    changed = changes(patch)
    rule = _seen(_found(await rows.rules.find(connection, call.workspace_id, rule_id)), seen)
    if changed.get("framework_id", rule.framework_id) != rule.framework_id:
        raise Invalid("framework_id", "cannot be changed", cure="make a rule in the other framework")
    merged = _merged(rule, changed)
    _check(merged)
    if "channel_ids" in changed:
        await _check_channels(connection, call.workspace_id, merged.channel_ids)
    if (reason := _ends_alerts(rule, merged)) is not None:
        await withdraw_rule(connection, call.workspace_id, rule_id, reason)
    values = settled(merged)
    if rule.raised is not None and _moves_bar(rule, values):
        values["raised"] = None
    after = _found(await rows.rules.change(connection, call.workspace_id, rule_id, values))
    await call.audit(connection, "rule.changed", f"rule:{rule_id}", changes=differences(asdict(rule), values))
    return after


@resource.operation("DELETE", "/rules/{rule_id}", role=Role.EDITOR, status=204, errors=(412,))
async def delete_rule(call: Authorized, rule_id: uuid.UUID, if_match: IfMatch = None) -> None:
    """Delete a rule; its open alerts are resolved."""
    seen = version_in(if_match, "a rule")
    async with call.configuring() as connection:
        rule = _seen(_found(await rows.rules.find(connection, call.workspace_id, rule_id)), seen)
        await rows.rules.delete(connection, call.workspace_id, rule_id, dt.datetime.now(dt.UTC))
        await withdraw_rule(connection, call.workspace_id, rule_id, Reason.RULE_DELETED)
        await call.audit(connection, "rule.deleted", f"rule:{rule_id}", name=rule.name)


def _merged(rule: rows.Rule, changed: dict[str, object]) -> RuleDraft:
    """The whole rule with the changes; what is not named goes where it has no meaning any more.

    An aggregation goes with its window, and with another type whatever belonged to the type before.
    """
    kept = {name: value for name, value in asdict(rule).items() if name in RuleDraft.model_fields}
    if "window_seconds" in changed and changed["window_seconds"] is None and "aggregation" not in changed:
        kept["aggregation"] = None
    if isinstance(alert_type := changed.get("alert_type"), AlertType):
        kept |= dict.fromkeys(meaningless(alert_type) - changed.keys())
    stored = RuleDraft.model_validate(kept)
    return stored.model_copy(update=changed)


def _moves_bar(before: rows.Rule, after: Mapping[str, object]) -> bool:
    """Whether a person says anew from which score on to tell: what verdicts made of the bar before ends with that."""
    return after["heeds_verdicts"] is not True or after["sensitivity"] != before.sensitivity


def _ends_alerts(before: rows.Rule, after: RuleDraft) -> Reason | None:
    """Why what it fired for is no longer looked at; None where it still is."""
    if before.enabled and not after.enabled:
        return Reason.RULE_DISABLED
    return Reason.RULE_CHANGED if after.metric != before.metric else None


def _check(rule: RuleDraft) -> None:
    if wrong := faults(rule):
        raise Problems(wrong)


async def _check_channels(
    connection: AsyncConnection, workspace_id: uuid.UUID, channel_ids: list[uuid.UUID] | None
) -> None:
    if not channel_ids:
        return
    missing = await channels.missing(connection, workspace_id, set(channel_ids))
    wrong = [
        FieldError(field=f"channel_ids[{place}]", message="there is no such channel in this workspace")
        for place, channel_id in enumerate(channel_ids)
        if channel_id in missing
    ]
    if wrong:
        raise Problems(wrong)


def _seen(rule: rows.Rule, version: int | None) -> rows.Rule:
    """The rule, if it is of the version; changes of configuration are one at a time, so that it stays so."""
    if version is not None and rule.version != version:
        raise PreconditionFailed(
            f"the rule is of version {rule.version} by now, not {version}", cure="load it and decide again"
        )
    return rule


def _found(rule: rows.Rule | None) -> rows.Rule:
    if rule is None:
        raise NotFound("there is no such rule in this workspace")
    return rule
