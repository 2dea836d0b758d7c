"""What every hot route does around its work: who calls, what came, and a problem document for what went wrong."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from convex_common.domain.role import Role
from convex_common.domain.role import Scope as KeyScope
from convex_common.errors import ConvexError
from convex_common.logging import bound
from convex_common.tracing import current_traceparent, new_traceparent
from convex_gateway.auth import Authenticator
from convex_gateway.body_limit import INGEST_LIMIT
from convex_gateway.idempotency import once
from convex_gateway.ingest.first_answers import Answer, FirstAnswer, FirstAnswers
from convex_gateway.limits.limiter import RateLimits
from convex_gateway.limits.policies import Kind
from convex_gateway.principal import Principal
from convex_gateway.problems import BodyTooLarge, UnsupportedMediaType, of_error, on_http_error

SENDER: Final = Role.RESPONDER
"""Who may send: configuring takes an editor, saying that something happens does not; a viewer only looks on."""

_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Received:
    """One authorized request: who sent it, when it came, its raw query and body, and the trace that its events join."""

    principal: Principal
    now: dt.datetime
    query: str
    body: bytes
    traceparent: str
    limits: RateLimits
    first: FirstAnswer | None = None

    @property
    def workspace_id(self) -> uuid.UUID:
        """The sender's workspace."""
        return self.principal.workspace_id

    async def admit(self, events: int) -> None:
        """Count the events that were sent. RateLimited where they are too many."""
        await self.limits.admit(Kind.INGEST, self.principal.workspace_id, self.principal.user_id, events)

    def keeping(self, answer: Answer) -> FirstAnswer | None:
        """What the writer stores with the events, which `answer` makes of their ids. None without a key."""
        return None if self.first is None else self.first.is_made_by(answer)


Handle = Callable[[Received], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Operation:
    """What answers a method, and the role and the scope it takes."""

    handle: Handle
    role: Role = SENDER
    scope: KeyScope = KeyScope.INGEST


class Endpoint:
    """An ASGI application of one path: bare, since what frameworks do per request costs more than all of ours."""

    def __init__(
        self,
        authenticator: Authenticator,
        limits: RateLimits,
        answers: FirstAnswers,
        operations: Mapping[str, Operation],
    ) -> None:
        self._authenticator = authenticator
        self._limits = limits
        self._answers = answers
        self._operations = operations

    @property
    def methods(self) -> list[str]:
        """Those that it answers."""
        return list(self._operations)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer. Errors of ours become problem documents here; others are for the layers around."""
        try:
            response = await self._answer(scope, receive)
        except ConvexError as error:
            response = of_error(error)
        except ClientDisconnect:
            return
        except HTTPException as error:
            response = await on_http_error(Request(scope), error)
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        method = scope["method"]
        operation = self._operations["GET" if method == "HEAD" else method]
        principal = await self._authenticator.caller(scope)
        if method == "POST":
            await self._limits.check(Kind.INGEST, principal.workspace_id, principal.user_id)
        else:
            await self._limits.admit(Kind.READ, principal.workspace_id, principal.user_id)
        principal.require(operation.role, operation.scope)
        headers = _headers(scope)
        if method == "POST":
            _check_media_type(headers.get(b"content-type", ""))
        received = Received(
            principal=principal,
            now=dt.datetime.now(dt.UTC),
            query=scope["query_string"].decode("latin-1"),
            body=await _body(receive) if method == "POST" else b"",
            traceparent=_traceparent(headers.get(b"traceparent")),
            limits=self._limits,
        )
        with bound(workspace_id=principal.workspace_id):
            if method == "POST" and (key := headers.get(b"idempotency-key")) is not None:
                return await self._once(scope, received, key, operation)
            return await operation.handle(received)

    async def _once(self, scope: Scope, received: Received, key: str, operation: Operation) -> Response:
        asked = once(
            received.workspace_id,
            received.principal.user_id,
            scope["method"],
            scope["path"],
            key,
            query=received.query,
            if_match="",
            body=received.body,
        )
        return await self._answers.answer(
            Request(scope), asked, lambda first: operation.handle(replace(received, first=first))
        )


def json_answer(status: int, value: object) -> Response:
    """A value as JSON."""
    return Response(_encode(value), status, media_type="application/json")


def _headers(scope: Scope) -> Mapping[bytes, str]:
    """The headers, by their names in lower case as ASGI has them."""
    return {name: value.decode("latin-1") for name, value in scope["headers"]}


async def _body(receive: Receive) -> bytes:
    """The whole body. BodyTooLarge as soon as it is."""
    message = await receive()
    chunks: list[bytes] = []
    size = 0
    while message["type"] == "http.request":
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > INGEST_LIMIT:
            raise BodyTooLarge(INGEST_LIMIT)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        message = await receive()
    raise ClientDisconnect


def _check_media_type(content_type: str) -> None:
    """A body without a type is taken for JSON, one of another type is not."""
    if content_type in {"", "application/json"}:
        return
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json")):
        return
    raise UnsupportedMediaType


def _traceparent(header: str | None) -> str:
    """The trace of the request's span, else of its header, else a new one."""
    current = current_traceparent()
    if current is not None:
        return current
    return header if header is not None and _TRACEPARENT.fullmatch(header) else new_traceparent()
