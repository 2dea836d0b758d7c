"""How an operation of the API is declared: what role it takes, what it answers, and what can go wrong."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final, TypeVar

import msgspec
from fastapi import Depends
from fastapi.datastructures import Default
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from convex_common.domain.audit import Act
from convex_common.domain.role import Role, Scope
from convex_common.errors import InFlight
from convex_common.logging import bound
from convex_common.postgres import audit
from convex_common.postgres import idempotency as idempotent
from convex_common.postgres.database import Connection
from convex_common.postgres.workspaces import raise_version
from convex_common.redis.cache.classes import RULES
from convex_gateway import non_finite
from convex_gateway.context import Gateway
from convex_gateway.idempotency import HEADER, METHODS, Once, may_be_kept, once, parameter, replayed, sealed
from convex_gateway.limits.policies import SAFE, Kind
from convex_gateway.limits.quotas import Quota
from convex_gateway.principal import Principal
from convex_gateway.problems import MEDIA_TYPE, Malformed, NotFinite, UnsupportedMediaType, answer_to

log = logging.getLogger(__name__)

PREFIX: Final = "/api/v1"
ROLE: Final = "x-required-role"
SCOPE: Final = "x-required-scope"
PROBLEM_SCHEMA: Final = {"$ref": "#/components/schemas/Problem"}
MEANINGS: Final = {
    400: "The body is no valid JSON",
    401: "There are no valid credentials",
    403: "The role or the key's scopes do not allow it",
    404: "There is no such thing in this workspace",
    409: "Its state does not allow it",
    412: "It has changed since the version in If-Match",
    413: "The body is beyond its limit",
    415: "The body is not JSON",
    422: "A field is wrong; nothing was changed",
    429: "Too much in too short a time: `RateLimit-Policy` tells the limits, `Retry-After` when to come back",
    500: "Something is broken inside",
    503: "A store cannot be reached; try again after Retry-After",
}

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Handle = Callable[[Request], Coroutine[Any, Any, Response]]


AfterCommit = Callable[[], Awaitable[object]]


class Work:
    """What one call does to the stores: in its own transactions, or in one that is held for the whole call."""

    def __init__(self, once: Once | None = None, held: AsyncConnection | None = None) -> None:
        self.once = once
        self.held = held
        self.kept = False
        """Whether the answer is stored already, by a transaction of its own."""
        self._after: list[AfterCommit] = []

    def after_commit(self, callback: AfterCommit) -> None:
        """Have it called once what was done is committed."""
        self._after.append(callback)

    async def committed(self) -> None:
        """Call what waits for the commit. What fails of it is logged: the work is done all the same."""
        waiting, self._after = self._after, []
        for callback in waiting:
            try:
                await callback()
            except Exception:
                log.exception("what follows a commit failed")


@dataclass(frozen=True, slots=True)
class Call:
    """One authorized call: who calls, and what the gateway has."""

    gateway: Gateway
    principal: Principal
    work: Work

    @property
    def workspace_id(self) -> uuid.UUID:
        """The caller's workspace."""
        return self.principal.workspace_id

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction for the caller's workspace; a part of the one that stores the answer, where one is held."""
        if self.work.held is not None:
            async with self.work.held.begin_nested():
                yield self.work.held
            return
        async with self.gateway.database.transaction(self.workspace_id) as connection:
            yield connection
        await self.work.committed()

    @asynccontextmanager
    async def configuring(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that changes rules, channels or frameworks: one at a time; processors reload after."""
        async with self.transaction() as connection:
            version = await raise_version(connection, self.workspace_id)
            self.after_commit(partial(self.gateway.cache.changed, self.workspace_id, RULES, version))
            yield connection

    async def within(self, quota: Quota, connection: AsyncConnection) -> None:
        """QuotaReached where the workspace may have no more of these; call it right before one is made."""
        await self.gateway.quotas.check(connection, self.workspace_id, quota)

    def after_commit(self, callback: AfterCommit) -> None:
        """Have it called once what was written is committed and before the caller is answered: hints, invalidations.

        At best effort: after a crash in between it is not called.
        """
        self.work.after_commit(callback)

    def keeping(self, answer: Callable[[bytes], Response]) -> Callable[[Connection, bytes], None] | None:
        """For work in a thread's transaction: what stores its answer there. None where the request has no key."""
        once, box = self.work.once, self.gateway.secrets
        if once is None:
            return None

        def keep(connection: Connection, data: bytes) -> None:
            idempotent.keep_now(connection, once.workspace_id, once.scope, once.request, sealed(answer(data), box))
            self.work.kept = True

        return keep

    async def audit(self, connection: AsyncConnection, action: str, subject: str, **detail: Any) -> None:
        """Record what the caller did in the transaction that does it: last, since the chain is held to the commit."""
        await audit.record(connection, self.workspace_id, Act(self.principal.user_id, action, subject, detail))


async def _call(request: Request) -> Call:
    return Call(request.app.state.gateway, request.state.principal, request.state.work)


Authorized = Annotated[Call, Depends(_call)]


class JsonRequest(Request):
    """Reads bodies as JSON and nothing else: no NaN, no Infinity, no number beyond a float, no broken text."""

    async def json(self) -> Any:
        """The body's value; Malformed names the byte where it stops being JSON, NotFinite the field of a NaN."""
        body = await self.body()
        try:
            return msgspec.json.decode(body)
        except UnicodeDecodeError:
            raise Malformed(_broken_text(body)) from None
        except RecursionError:
            raise Malformed("it is nested too deeply") from None
        except msgspec.DecodeError as error:
            if (field := non_finite.field_of(body)) is not None:
                raise NotFinite(field, non_finite.MESSAGE) from None
            raise Malformed(_position(str(error), len(body))) from None


def _broken_text(body: bytes) -> str:
    """The decoder counts from the start of a string; a person wants the body's."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 at byte {error.start}"
    return "a text in it is not UTF-8"


def _position(message: str, length: int) -> str:
    told = message.removeprefix("JSON is malformed: ")
    if told == "Input data was truncated":
        return f"it ends too early, at byte {length}"
    return told[:1].lower() + told[1:]


class Operation(APIRoute):
    """A route that authenticates, checks the role and the body's type before it reads anything."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, behind the checks."""
        handle = super().get_route_handler()
        told = self.openapi_extra or {}
        needed, scope = Role(told[ROLE]), Scope(told[SCOPE])

        async def checked(request: Request) -> Response:
            gateway: Gateway = request.app.state.gateway
            principal = await gateway.authenticator.caller(request.scope)
            kind = Kind.READ if request.method in SAFE else Kind.WRITE
            await gateway.limits.admit(kind, principal.workspace_id, principal.user_id)
            principal.require(needed, scope)
            request.state.principal = principal
            request.state.work = work = Work()
            if self.body_field is not None:
                check_media_type(request)
                request = JsonRequest(request.scope, request.receive)
            with bound(workspace_id=principal.workspace_id):
                if request.method in METHODS and (key := request.headers.get(HEADER)) is not None:
                    return await _once(request, await _once_of(request, key), handle)
                answer = await handle(request)
                await work.committed()
                return answer

        return checked


async def _once_of(request: Request, key: str) -> Once:
    principal: Principal = request.state.principal
    return once(
        principal.workspace_id,
        principal.user_id,
        request.method,
        request.url.path,
        key,
        query=request.url.query,
        if_match=request.headers.get("if-match", ""),
        body=await request.body(),
    )


async def _once(request: Request, once: Once, handle: Handle) -> Response:
    """The answer, made and stored in one transaction; or the first one, where there is one."""
    gateway: Gateway = request.app.state.gateway
    async with gateway.database.transaction(once.workspace_id) as connection:
        found = await idempotent.claim(connection, once.workspace_id, once.scope)
        if found is not None:
            return replayed(once, found, gateway.secrets)
        request.state.work = work = Work(once, connection)
        try:
            answer = await handle(request)
        except Exception as error:
            answer = await answer_to(request, error)
        if (
            may_be_kept(answer)
            and not work.kept
            and not await idempotent.keep(
                connection, once.workspace_id, once.scope, once.request, sealed(answer, gateway.secrets)
            )
        ):
            raise InFlight
    await work.committed()
    return answer


def check_media_type(request: Request) -> None:
    """A body without a type is taken for JSON, one of another type is not."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type and not (
        media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))
    ):
        raise UnsupportedMediaType


class Resource:
    """Gathers the operations of one resource, under one tag of the documentation."""

    def __init__(self, tag: str, *, prefix: str = PREFIX) -> None:
        self._tag = tag
        self._prefix = prefix
        self.routes: list[APIRoute] = []

    def operation(
        self,
        method: str,
        path: str,
        *,
        role: Role,
        scope: Scope | None = None,
        answer: Any = None,
        status: int = 200,
        errors: tuple[int, ...] = (),
        headers: dict[str, str] | None = None,
        text: type[Response] | None = None,
    ) -> Callable[[Endpoint], Endpoint]:
        """Declares the decorated function as the operation; its name is the operation's id, its docstring the words.

        `scope` is what a key needs, else what the role and the method suggest. `errors` are those that do not follow
        from its form; `headers` describe what the answer carries besides;
        `text` is the class of the answer where it is no JSON.
        """

        def declare(endpoint: Endpoint) -> Endpoint:
            needed = scope or Scope.of(role, reads=method == "GET")
            summary, _, rest = (endpoint.__doc__ or "").partition("\n")
            route = Operation(
                self._prefix + path,
                endpoint,
                methods=[method],
                status_code=status,
                response_model=answer,
                operation_id=endpoint.__name__,
                tags=[self._tag],
                summary=summary.strip().rstrip("."),
                description=rest.strip(),
                openapi_extra={
                    ROLE: role.value,
                    SCOPE: needed.value,
                    "security": [{"bearer": []}],
                    **_parameters_of(method),
                },
                strict_content_type=False,
                response_class=text or Default(JSONResponse),
            )
            if headers:
                described = {
                    name: {"description": told, "schema": {"type": "string"}} for name, told in headers.items()
                }
                route.responses[status] = {"headers": described}
            for code in sorted(_errors_of(route) | set(errors)):
                content = {MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}}
                route.responses[code] = {"description": MEANINGS[code], "content": content}
            self.routes.append(route)
            return endpoint

        return declare


def _parameters_of(method: str) -> dict[str, Any]:
    """What every operation of this method takes besides its own."""
    return {"parameters": [parameter()]} if method in METHODS else {}


def _errors_of(route: APIRoute) -> set[int]:
    """What can go wrong with an operation of this form."""
    errors = {401, 403, 429, 500, 503}
    if METHODS & (route.methods or set()):
        errors |= {409, 422}
    if route.param_convertors:
        errors.add(404)
    if _takes_parameters(route.dependant):
        errors.add(422)
    if route.body_field is not None:
        errors |= {400, 413, 415, 422}
    return errors


def _takes_parameters(dependant: Dependant) -> bool:
    """Whether it or what it depends on, such as a page, reads the query or headers."""
    own = bool(dependant.query_params or dependant.header_params)
    return own or any(_takes_parameters(deeper) for deeper in dependant.dependencies)
