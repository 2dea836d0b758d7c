"""How an operation of the API is declared: what role it takes, what it answers, and what can go wrong."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

import msgspec
from fastapi import Depends
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from convex_common.logging import bound
from convex_common.postgres.workspaces import raise_version
from convex_gateway import non_finite
from convex_gateway.auth import Principal, Role
from convex_gateway.context import Gateway
from convex_gateway.problems import MEDIA_TYPE, Malformed, NotFinite, UnsupportedMediaType

PREFIX: Final = "/api/v1"
ROLE: Final = "x-required-role"
PROBLEM_SCHEMA: Final = {"$ref": "#/components/schemas/Problem"}
MEANINGS: Final = {
    400: "The body is no valid JSON",
    401: "There are no valid credentials",
    403: "The role does not allow it",
    404: "There is no such thing in this workspace",
    409: "Its state does not allow it",
    412: "It has changed since the version in If-Match",
    413: "The body is beyond its limit",
    415: "The body is not JSON",
    422: "A field is wrong; nothing was changed",
    500: "Something is broken inside",
    503: "A store cannot be reached; try again after Retry-After",
}

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Call:
    """One authorized call: who calls, and what the gateway has."""

    gateway: Gateway
    principal: Principal

    @property
    def workspace_id(self) -> uuid.UUID:
        """The caller's workspace."""
        return self.principal.workspace_id

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction for the caller's workspace."""
        async with self.gateway.database.transaction(self.workspace_id) as connection:
            yield connection

    @asynccontextmanager
    async def configuring(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that changes rules, channels or frameworks: one at a time; processors reload after."""
        async with self.transaction() as connection:
            await raise_version(connection, self.workspace_id)
            yield connection


async def _call(request: Request) -> Call:
    return Call(request.app.state.gateway, request.state.principal)


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
        needed = Role((self.openapi_extra or {})[ROLE])

        async def checked(request: Request) -> Response:
            gateway: Gateway = request.app.state.gateway
            principal = await gateway.authenticator.caller(request.scope)
            principal.require(needed)
            request.state.principal = principal
            if self.body_field is not None:
                _check_media_type(request)
                request = JsonRequest(request.scope, request.receive)
            with bound(workspace_id=principal.workspace_id):
                return await handle(request)

        return checked


def _check_media_type(request: Request) -> None:
    """A body without a type is taken for JSON, one of another type is not."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type and not (
        media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))
    ):
        raise UnsupportedMediaType


class Resource:
    """Gathers the operations of one resource, under one tag of the documentation."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self.routes: list[APIRoute] = []

    def operation(
        self,
        method: str,
        path: str,
        *,
        role: Role,
        answer: Any = None,
        status: int = 200,
        errors: tuple[int, ...] = (),
        headers: dict[str, str] | None = None,
    ) -> Callable[[Endpoint], Endpoint]:
        """Declares the decorated function as the operation; its name is the operation's id, its docstring the words.

        `errors` are those that do not follow from its form; `headers` describe what the answer carries besides.
        """

        def declare(endpoint: Endpoint) -> Endpoint:
            summary, _, rest = (endpoint.__doc__ or "").partition("\n")
            route = Operation(
                PREFIX + path,
                endpoint,
                methods=[method],
                status_code=status,
                response_model=answer,
                operation_id=endpoint.__name__,
                tags=[self._tag],
                summary=summary.strip().rstrip("."),
                description=rest.strip(),
                openapi_extra={ROLE: role.value, "security": [{"bearer": []}]},
                strict_content_type=False,
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


def _errors_of(route: APIRoute) -> set[int]:
    """What can go wrong with an operation of this form."""
    errors = {401, 403, 500, 503}
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
