"""Channels on the wire. Secrets are write-only: no answer has them but the one that tells a generated secret."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import unicodedata
import uuid
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

import re2
from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    StringConstraints,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from convex_common.domain.channel import ChannelKind, Operator
from convex_common.domain.mailbox import LONGEST, Mailbox
from convex_common.domain.severity import Severity
from convex_gateway.pagination import Page
from convex_gateway.problems import NO_NUL
from convex_gateway.shapes.body import Answer, Body, LabelName, Name, Switch, UserId, patch

SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix by Standard Webhooks
SECRET_BYTES = (16, 64)


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is no address") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must start with http:// or https:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must carry no user or password")
    return url


def _secret(secret: str) -> str:
    encoded = secret.removeprefix(SECRET_PREFIX)
    try:
        length = len(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        raise ValueError("must be base64, after whsec_ or alone") from None
    if not SECRET_BYTES[0] <= length <= SECRET_BYTES[1]:
        raise ValueError(f"must be of {SECRET_BYTES[0]} to {SECRET_BYTES[1]} bytes, in base64")
    return SECRET_PREFIX + encoded


def _mailbox(address: str) -> str:
    Mailbox.parse(address)
    return unicodedata.normalize("NFC", address)


Address = Annotated[
    str, StringConstraints(min_length=8, max_length=2048, pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s\x00-\x20]+$"),
    AfterValidator(_address),
]  # fmt: skip
Secret = Annotated[str, StringConstraints(min_length=16, max_length=128), AfterValidator(_secret)]
Recipient = Annotated[
    str,
    StringConstraints(min_length=3, max_length=LONGEST, pattern=r"^[^@\s\x00-\x20]+@[^@\s\x00-\x20]+$"),
    AfterValidator(_mailbox),
]


class Config(Body):
    """What a kind of channel needs. The fields named by SECRETS are sealed, and told to nobody."""

    SECRETS: ClassVar[frozenset[str]] = frozenset()

    def told(self) -> dict[str, Any]:
        """What may be told."""
        return self.model_dump(mode="json", exclude=set(self.SECRETS))

    def secrets(self) -> dict[str, Any]:
        """What is sealed."""
        return self.model_dump(mode="json", include=set(self.SECRETS))


class WebhookConfig(Config):
    """An address that takes POSTs, signed by Standard Webhooks."""

    SECRETS = frozenset({"secret"})

    url: Address
    secret: Secret | None = Field(
        default=None,
        description="16 to 64 bytes in base64, after `whsec_` or alone; write-only. Generated where it is absent",
    )


class InAppConfig(Config):
    """The in-app inbox of some members, or (null) of all."""

    user_ids: Annotated[list[UserId], Field(min_length=1, max_length=1000)] | None = None


class EmailConfig(Config):
    """Mailboxes. They get one e-mail, in which each sees the others."""

    to: Annotated[list[Recipient], Field(min_length=1, max_length=50)]

    @field_validator("to")
    @classmethod
    def _once_each(cls, to: list[str]) -> list[str]:
        return list({Mailbox.parse(address): address for address in to}.values())


class SlackConfig(Config):
    """An incoming webhook of Slack, or of a server that takes the same."""

    SECRETS = frozenset({"webhook_url"})

    webhook_url: Address = Field(description="Whoever has it can post: write-only, only its host is told")

    def told(self) -> dict[str, Any]:
        """The host, which attempts at once are capped by."""
        return {"host": urlsplit(self.webhook_url).hostname}


CONFIGS: dict[ChannelKind, type[WebhookConfig | InAppConfig | EmailConfig | SlackConfig]] = {
    ChannelKind.WEBHOOK: WebhookConfig,
    ChannelKind.IN_APP: InAppConfig,
    ChannelKind.EMAIL: EmailConfig,
    ChannelKind.SLACK: SlackConfig,
}


class Matcher(Body):
    """A test on one label of the alert, as Alertmanager has them; regular expressions are RE2 and match the whole."""

    name: LabelName
    op: Operator = Operator.EQUAL
    value: Annotated[str, StringConstraints(max_length=1024, pattern=NO_NUL)]

    @model_validator(mode="after")
    def _compiles(self) -> Matcher:
        if self.op in (Operator.MATCHES, Operator.NOT_MATCHES):
            try:
                re2.compile(self.value, _quiet())
            except re2.error as error:
                raise ValueError(f"value is no regular expression of RE2: {_told(error)}") from None
        return self


Matchers = Annotated[list[Matcher], Field(max_length=50)]


def _quiet() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


def _told(error: Exception) -> str:
    message = error.args[0] if error.args else "it does not compile"
    return message.decode(errors="replace") if isinstance(message, bytes) else str(message)


AvailableKind = Annotated[ChannelKind, WithJsonSchema({"type": "string", "enum": sorted(CONFIGS)})]
"""A kind of channel, of which only some can be had yet."""


class ChannelDraft(Body):
    """A channel to be made."""

    kind: AvailableKind = Field(description="apprise is not available yet; email takes an installation that sends any")
    name: Name
    config: WebhookConfig | InAppConfig | EmailConfig | SlackConfig = Field(
        description="By kind: webhook `{url, secret?}`, in_app `{user_ids?}`, email `{to}`, slack `{webhook_url}`"
    )
    min_severity: Severity = Severity.INFO
    matchers: Matchers = Field(default_factory=list)
    enabled: Switch = True

    @field_validator("kind")
    @classmethod
    def _available(cls, kind: ChannelKind) -> ChannelKind:
        if kind not in CONFIGS:
            raise ValueError(f"{kind.value} is not available yet; use one of {', '.join(sorted(CONFIGS))}")
        return kind

    @field_validator("config", mode="wrap")
    @classmethod
    def _by_kind(cls, value: Any, _: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        model = CONFIGS.get(info.data.get("kind", ""))
        return value if model is None else model.model_validate(value)


@patch
class ChannelPatch(Body):
    """What to change; what is left out stays, within `config` too. A channel's kind stays."""

    kind: AvailableKind
    name: Name
    config: Annotated[dict[str, Any], Field(description="Some fields of what the channel's kind has")]
    min_severity: Severity
    matchers: Matchers
    enabled: Switch


class WebhookTold(Answer):
    """A webhook without its secret."""

    url: str


class InAppTold(Answer):
    """Whose inbox it is; null for every member's."""

    user_ids: list[str] | None


class EmailTold(Answer):
    """Whose mailboxes they are."""

    to: list[str]


class SlackTold(Answer):
    """A webhook without its address, which is its secret."""

    host: str


class MatcherTold(Answer):
    """A test on one label of the alert."""

    name: str
    op: Operator
    value: str


class Channel(Answer):
    """A configured destination."""

    id: uuid.UUID
    kind: ChannelKind
    name: str
    config: WebhookTold | InAppTold | EmailTold | SlackTold
    min_severity: Severity
    matchers: list[MatcherTold]
    enabled: bool
    created_at: dt.datetime
    updated_at: dt.datetime


class NewChannel(Channel):
    """A channel just made."""

    generated_secret: str | None = Field(
        default=None, description="The webhook's secret, where none was given; told here and never again"
    )


class ChannelPage(Page[Channel]):
    """Channels, the oldest first."""


class TestSent(BaseModel):
    """A test notification is on its way."""

    status: Literal["accepted"] = "accepted"
    delivery_id: uuid.UUID
