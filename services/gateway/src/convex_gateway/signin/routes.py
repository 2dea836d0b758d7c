"""`/auth/session`: signing in by a token, who is signed in, switching the workspace, signing out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Response
from fastapi.routing import APIRoute
from starlette.requests import Request

from convex_common.domain.role import Role
from convex_common.errors import NotFound, Unauthorized
from convex_common.postgres import members, workspaces
from convex_common.postgres.sessions import Membership, memberships_of
from convex_gateway.context import Gateway
from convex_gateway.operations import MEANINGS, PROBLEM_SCHEMA, JsonRequest, check_media_type
from convex_gateway.principal import Principal
from convex_gateway.problems import MEDIA_TYPE
from convex_gateway.shapes.sessions import SessionState, SignedIn, SignIn, Switch, Way
from convex_gateway.shapes.workspace import Workspace
from convex_gateway.signin import cookies, csrf
from convex_gateway.signin.sessions import Begun, Session

PATH: Final = "/auth/session"
TAG: Final = "sign-in"


class Open(APIRoute):
    """A route that takes no credentials, or none but a session's cookie; its body is JSON and nothing else."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, behind the check of the body's type."""
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            if self.body_field is not None:
                check_media_type(request)
                request = JsonRequest(request.scope, request.receive)
            return await handle(request)

        return checked


async def get_session(request: Request, response: Response) -> SessionState:
    """Get who is signed in.

    Without a session it says how one can begin.
    """
    gateway = gateway_of(request)
    token = gateway.sessions.token_in(request.scope)
    session = None if token is None else await gateway.sessions.find(token)
    if token is None or session is None:
        if token is not None:
            _clear(gateway, request, response)
        return SessionState(ways=_ways(gateway), session=None)
    return await _state(gateway, token, session)


async def sign_in(request: Request, response: Response, body: SignIn) -> SessionState:
    """Sign in by a token.

    The token is exchanged for a session, whose cookie no script can read. The session ends with the token, if not
    before.
    """
    gateway = gateway_of(request)
    csrf.check_source(request.scope, dict(request.scope["headers"]), gateway.sessions.site, required=False)
    await gateway.limits.sign_in(address_of(request))
    principal = await gateway.authenticator.from_token(body.token)
    begun = await gateway.sessions.begin(principal, Way.TOKEN)
    return await _replace(gateway, request, response, begun)


async def switch_workspace(request: Request, response: Response, body: Switch) -> SessionState:
    """Go on in another workspace.

    For who signed in at the identity provider and is a member of several. It is a new session that ends when the old
    one would have.
    """
    gateway = gateway_of(request)
    session = await _own_session(gateway, request)
    wanted = [found for found in await _memberships(gateway, session) if found.workspace_id == body.workspace_id]
    if not wanted:
        raise NotFound("there is no such workspace among yours")
    principal = principal_of(wanted[0], session.principal.expires_at)
    begun = await gateway.sessions.begin(principal, session.way, subject=session.subject, email=session.email)
    return await _replace(gateway, request, response, begun)


async def sign_out(request: Request, response: Response) -> None:
    """Sign out.

    The session ends here at once, and within 60 seconds everywhere else, open sockets included.
    """
    gateway = gateway_of(request)
    token = gateway.sessions.token_in(request.scope)
    if token is not None:
        csrf.check(request.scope, token, gateway.sessions.site)
        await gateway.sessions.end(token)
    _clear(gateway, request, response)


def address_of(request: Request) -> str:
    """Where the request is from, as far as trusted proxies say."""
    return request.client.host if request.client else ""


def principal_of(membership: Membership, expires_at: float) -> Principal:
    """The person in that workspace, as themselves: with all that the member may."""
    return Principal(membership.workspace_id, membership.user_id, Role(membership.role), expires_at, operator=False)


def give(gateway: Gateway, request: Request, response: Response, begun: Begun) -> None:
    """The new session's cookie. Strict: pages of other sites get no request with it, not even a link's."""
    secure = gateway.sessions.site.secure(request.scope)
    seconds = max(1, int((begun.expires_at - dt.datetime.now(dt.UTC)).total_seconds()))
    name = gateway.sessions.cookie_name(request.scope)
    cookies.write(response, name, begun.token, seconds=seconds, secure=secure, same_site="strict")


async def end_previous(gateway: Gateway, request: Request) -> None:
    """What the browser was signed in with before, whoever planted it, ends with a new sign-in."""
    try:
        before = gateway.sessions.token_in(request.scope)
    except Unauthorized:
        return
    if before is not None:
        await gateway.sessions.end(before)


async def _replace(gateway: Gateway, request: Request, response: Response, begun: Begun) -> SessionState:
    session = await gateway.sessions.find(begun.token)
    if session is None:
        raise Unauthorized("the session has ended", cure="sign in again")
    await end_previous(gateway, request)
    give(gateway, request, response, begun)
    return await _state(gateway, begun.token, session)


async def _own_session(gateway: Gateway, request: Request) -> Session:
    token = gateway.sessions.token_in(request.scope)
    if token is None:
        raise Unauthorized("there is no session", cure="sign in")
    csrf.check(request.scope, token, gateway.sessions.site)
    session = await gateway.sessions.find(token)
    if session is None:
        raise Unauthorized("the session has ended", cure="sign in again")
    return session


async def _memberships(gateway: Gateway, session: Session) -> list[Membership]:
    if session.subject is None:
        return []
    async with gateway.database.transaction() as connection:
        return await memberships_of(connection, session.subject, session.email)


async def _state(gateway: Gateway, token: str, session: Session) -> SessionState:
    who = session.principal
    async with gateway.database.transaction(who.workspace_id) as connection:
        member = await members.find(connection, who.workspace_id, who.user_id)
        own = await workspaces.get(connection, who.workspace_id)
    here = Workspace(id=own.id, slug=own.slug, name=own.name)
    others = [
        Workspace(id=one.workspace_id, slug=one.slug, name=one.name) for one in await _memberships(gateway, session)
    ]
    signed_in = SignedIn(
        user_id=who.user_id,
        name=member.name if member else who.user_id,
        email=member.email if member else None,
        role=who.role,
        operator=who.operator,
        way=Way(session.way),
        expires_at=dt.datetime.fromtimestamp(who.expires_at, dt.UTC),
        csrf_token=csrf.token_of(token),
        workspace=here,
        workspaces=others or [here],
    )
    return SessionState(ways=_ways(gateway), session=signed_in)


def _ways(gateway: Gateway) -> list[Way]:
    return [Way.TOKEN] if gateway.provider is None else [Way.OIDC, Way.TOKEN]


def _clear(gateway: Gateway, request: Request, response: Response) -> None:
    secure = gateway.sessions.site.secure(request.scope)
    cookies.clear(response, gateway.sessions.cookie_name(request.scope), secure=secure, same_site="strict")


def gateway_of(request: Request) -> Gateway:
    """The gateway that serves it."""
    gateway: Gateway = request.app.state.gateway
    return gateway


def _route(method: str, endpoint: Callable[..., Any], answer: Any, status: int, errors: tuple[int, ...]) -> APIRoute:
    summary, _, rest = (endpoint.__doc__ or "").partition("\n")
    content = {MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}}
    route = Open(
        PATH,
        endpoint,
        methods=[method],
        status_code=status,
        response_model=answer,
        operation_id=endpoint.__name__,
        tags=[TAG],
        summary=summary.strip().rstrip("."),
        description=" ".join(rest.split()),
        responses={code: {"description": MEANINGS[code], "content": content} for code in (401, 500, 503, *errors)},
        strict_content_type=False,
    )
    taken = "The session's cookie" if status == 204 else "The session's cookie, where there is one"
    route.responses[status] = {"headers": {"Set-Cookie": {"description": taken, "schema": {"type": "string"}}}}
    return route


routes: Final = [
    _route("GET", get_session, SessionState, 200, ()),
    _route("POST", sign_in, SessionState, 200, (400, 403, 413, 415, 422, 429)),
    _route("PUT", switch_workspace, SessionState, 200, (400, 403, 404, 413, 415, 422)),
    _route("DELETE", sign_out, None, 204, (403,)),
]
