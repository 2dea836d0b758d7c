"""Channels: configured destinations. What is secret of them is sealed at once and never told again."""

from __future__ import annotations

import base64
import datetime as dt
import secrets
import uuid
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.contracts import DELIVERIES_DUE, DeliveryIds
from convex_common.domain.audit import differences
from convex_common.domain.channel import ChannelKind
from convex_common.domain.role import Role
from convex_common.errors import Conflict, Invalid, NotFound
from convex_common.postgres import channels as rows
from convex_common.postgres import deliveries, members, rules
from convex_common.postgres.configuration import target_of
from convex_common.secretbox import SecretBox, UnreadableSecret
from convex_common.tracing import new_traceparent
from convex_gateway.limits.quotas import Quota
from convex_gateway.operations import Authorized, Resource
from convex_gateway.pagination import PageAsked, cursor_of, cut
from convex_gateway.problems import FieldError, Problems, field_error
from convex_gateway.sample import sample_alert
from convex_gateway.shapes.body import changes
from convex_gateway.shapes.channels import (
    CONFIGS,
    SECRET_PREFIX,
    Channel,
    ChannelDraft,
    ChannelPage,
    ChannelPatch,
    Config,
    InAppConfig,
    NewChannel,
    TestSent,
    WebhookConfig,
)

resource = Resource("channels")
GENERATED_BYTES = 32


@resource.operation("POST", "/channels", role=Role.EDITOR, answer=NewChannel, status=201)
async def create_channel(call: Authorized, draft: ChannelDraft) -> object:
    """Make a channel.

    A webhook without a secret gets one, told as `generated_secret` in this answer only.
    """
    if draft.kind is ChannelKind.EMAIL and not call.gateway.settings.smtp_host:
        raise Invalid("kind", "email needs a mail server", cure="set SMTP_HOST for the gateway and the notifier")
    config: Config = draft.config
    generated = None
    if isinstance(config, WebhookConfig) and config.secret is None:
        generated = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(GENERATED_BYTES)).decode()
        config = config.model_copy(update={"secret": generated})
    values = _plain(changes(draft) | {"matchers": draft.matchers, "enabled": draft.enabled})
    values |= {"kind": draft.kind.value, "min_severity": draft.min_severity.value}
    async with call.configuring() as connection:
        values |= await _configured(connection, call.workspace_id, config, call.gateway.secrets)
        await call.within(Quota.CHANNELS, connection)
        made = await rows.channels.create(connection, call.workspace_id, call.gateway.ids.new(), values)
        told = {name: value for name, value in values.items() if name != "secrets"}
        await call.audit(connection, "channel.created", f"channel:{made.id}", **told)
    return NewChannel(**Channel.model_validate(made).model_dump(), generated_secret=generated)


@resource.operation("GET", "/channels", role=Role.VIEWER, answer=ChannelPage)
async def list_channels(call: Authorized, asked: PageAsked) -> object:
    """List the channels, the oldest first."""
    async with call.transaction() as connection:
        found = await rows.channels.page(connection, call.workspace_id, after=asked.after, count=asked.limit + 1)
    items, last = cut(found, asked.limit)
    return {"items": items, "next_cursor": cursor_of(last.id if last else None)}


@resource.operation("GET", "/channels/{channel_id}", role=Role.VIEWER, answer=Channel)
async def get_channel(call: Authorized, channel_id: uuid.UUID) -> object:
    """Get a channel."""
    async with call.transaction() as connection:
        return _found(await rows.channels.find(connection, call.workspace_id, channel_id))


@resource.operation("PATCH", "/channels/{channel_id}", role=Role.EDITOR, answer=Channel, errors=(409,))
async def change_channel(call: Authorized, channel_id: uuid.UUID, patch: ChannelPatch) -> object:
    """Change a channel; of `config` too, what is left out stays."""
    changed = changes(patch)
    async with call.configuring() as connection:
        channel = _found(await rows.channels.find(connection, call.workspace_id, channel_id))
        if changed.pop("kind", channel.kind) != channel.kind:
            raise Invalid("kind", "cannot be changed", cure="make another channel")
        values = _plain(changed)
        if "config" in changed:
            config = _merged_config(channel, patch.config, call.gateway.secrets)
            values |= await _configured(connection, call.workspace_id, config, call.gateway.secrets)
        after = _found(await rows.channels.change(connection, call.workspace_id, channel_id, values))
        told = _told(channel, values, call.gateway.secrets)
        await call.audit(connection, "channel.changed", f"channel:{channel_id}", changes=told)
        return after


@resource.operation("DELETE", "/channels/{channel_id}", role=Role.EDITOR, status=204, errors=(409,))
async def delete_channel(call: Authorized, channel_id: uuid.UUID) -> None:
    """Delete a channel; one that rules send to by its id is refused, since their alerts would reach nobody."""
    async with call.configuring() as connection:
        if using := await rules.names_of_users(connection, call.workspace_id, channel_id):
            named = ", ".join(repr(name) for name in using)
            raise Conflict(f"rules send to this channel by its id: {named}", cure="take it out of their channel_ids")
        channel = _found(await rows.channels.find(connection, call.workspace_id, channel_id))
        await rows.channels.delete(connection, call.workspace_id, channel_id, dt.datetime.now(dt.UTC))
        await call.audit(connection, "channel.deleted", f"channel:{channel_id}", name=channel.name)


@resource.operation("POST", "/channels/{channel_id}/test", role=Role.EDITOR, answer=TestSent, status=202)
async def test_channel(call: Authorized, channel_id: uuid.UUID) -> object:
    """Send a test notification; how it went is told by its delivery."""
    now, traceparent = dt.datetime.now(dt.UTC), new_traceparent()
    notification_id, delivery_id, alert_id = call.gateway.ids.take(3)
    async with call.transaction() as connection:
        channel = _found(await rows.channels.find(connection, call.workspace_id, channel_id))
        await deliveries.create_test(
            connection,
            call.workspace_id,
            notification_id=notification_id,
            delivery_id=delivery_id,
            channel_id=channel_id,
            target=target_of(channel_id, channel.kind, channel.config),
            data=sample_alert(call.workspace_id, alert_id, channel.name, call.principal.user_id, now),
            traceparent=traceparent,
        )
        await call.audit(connection, "channel.tested", f"channel:{channel_id}", delivery_id=delivery_id)
    hint = DeliveryIds((str(delivery_id),))
    call.after_commit(partial(call.gateway.sender.send, DELIVERIES_DUE, hint, traceparent))
    return TestSent(delivery_id=delivery_id)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """The values as columns take them."""
    plain = {name: value for name, value in values.items() if name != "config"}
    if "matchers" in plain:
        plain["matchers"] = [matcher.model_dump(mode="json") for matcher in plain["matchers"]]
    if "min_severity" in plain:
        plain["min_severity"] = str(plain["min_severity"])
    return plain


async def _configured(
    connection: AsyncConnection, workspace_id: uuid.UUID, config: Config, box: SecretBox
) -> dict[str, Any]:
    """The columns of a configuration: what may be told, and the rest sealed."""
    if isinstance(config, InAppConfig) and config.user_ids is not None:
        absent = await members.missing(connection, workspace_id, set(config.user_ids))
        wrong = [
            FieldError(field=f"config.user_ids[{place}]", message="is no member of this workspace")
            for place, user_id in enumerate(config.user_ids)
            if user_id in absent
        ]
        if wrong:
            raise Problems(wrong)
    return {"config": config.told(), "secrets": box.seal(config.secrets()) if config.SECRETS else None}


def _merged_config(channel: rows.Channel, patch: dict[str, Any], box: SecretBox) -> Config:
    """The whole configuration with the changes; the stored secret is opened only where it is to stay."""
    model = CONFIGS[ChannelKind(channel.kind)]
    for name in model.SECRETS & patch.keys():
        if patch[name] is None:
            raise Invalid(f"config.{name}", "cannot be taken away", cure="leave it out, or give a new one")
    kept = {name: value for name, value in channel.config.items() if name in model.model_fields}
    if channel.secrets is not None and not patch.keys() >= model.SECRETS:
        try:
            kept |= box.open(channel.secrets)
        except UnreadableSecret:
            named = " and ".join(f"config.{name}" for name in sorted(model.SECRETS))
            raise Conflict("the channel's secret cannot be read any more", cure=f"give a new {named}") from None
    try:
        return model.model_validate({**kept, **patch})
    except ValidationError as error:
        raise Problems([field_error({**item, "loc": ("config", *item["loc"])}) for item in error.errors()]) from None


def _found(channel: rows.Channel | None) -> rows.Channel:
    if channel is None:
        raise NotFound("there is no such channel in this workspace")
    return channel


def _told(before: rows.Channel, values: dict[str, Any], box: SecretBox) -> dict[str, Any]:
    """What changed, for the audit log; sealing the same secret anew is no change."""
    old, new = before.secrets, values.get("secrets")
    if old is not None and new is not None:
        with suppress(UnreadableSecret):
            if box.open(old) == box.open(new):
                values = values | {"secrets": old}
    return differences(asdict(before), values, secret={"secrets"})
