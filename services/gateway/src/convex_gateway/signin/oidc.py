"""`/auth/oidc/…`: to the identity provider and back, for browsers. Every answer is a redirect to a page that tells."""

from __future__ import annotations

import logging
import math
import time
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Query
from fastapi.routing import APIRoute
from pydantic import StringConstraints
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from convex_common.errors import NotFound, RateLimited, StoreUnavailable
from convex_common.postgres.sessions import Membership, memberships_of
from convex_gateway.context import Gateway
from convex_gateway.operations import MEANINGS, PROBLEM_SCHEMA
from convex_gateway.problems import MEDIA_TYPE, NO_NUL
from convex_gateway.shapes.sessions import Way
from convex_gateway.signin import cookies, flow
from convex_gateway.signin.flow import Flow
from convex_gateway.signin.provider import Identity, NotSignedIn, Provider, ProviderAway
from convex_gateway.signin.routes import TAG, address_of, end_previous, gateway_of, give, principal_of

log = logging.getLogger(__name__)

LOGIN: Final = "/auth/oidc/login"
CALLBACK: Final = "/auth/oidc/callback"

Text = Annotated[str, StringConstraints(max_length=4096, pattern=NO_NUL)]


class Failure(StrEnum):
    """Why nobody is signed in, as the page is told in its fragment; the provider's own words are for the log."""

    REFUSED = "refused"
    EXPIRED = "expired"
    TOO_MANY = "too-many"
    UNAVAILABLE = "unavailable"
    NO_MEMBER = "no-member"


async def begin_oidc_sign_in(
    request: Request,
    to: Annotated[Text, Query(description="The path of our own to come back to")] = flow.HOME,
    workspace: Annotated[Text, Query(description="The slug of the workspace; else the first one")] = "",
) -> Response:
    """Sign in at the identity provider.

    For browsers: it redirects to the provider, which sends them back. 404 where none is set up.
    """
    gateway = gateway_of(request)
    begun = flow.begin(flow.target_of(to), workspace, time.time())
    try:
        address = await _provider(gateway).address(begun)
    except ProviderAway as error:
        log.warning("the OIDC provider is away: %s", error)
        return _failed(Failure.UNAVAILABLE)
    answer = RedirectResponse(address, HTTPStatus.SEE_OTHER)
    secure = gateway.sessions.site.secure(request.scope)
    name = cookies.name_of(cookies.FLOW, secure=secure)
    # Lax: it has to come along when the provider sends the person back.
    sealed = flow.seal(begun, gateway.secrets)
    cookies.write(answer, name, sealed, seconds=flow.SECONDS, secure=secure, same_site="lax")
    return answer


async def finish_oidc_sign_in(
    request: Request, state: Text = "", code: Text = "", error: Text = "", iss: Text = ""
) -> Response:
    """Come back from the identity provider.

    The provider sends browsers here. It redirects to the page, signed in, or with `#sign-in=` and why not.
    """
    gateway = gateway_of(request)
    provider = _provider(gateway)
    secure = gateway.sessions.site.secure(request.scope)
    name = cookies.name_of(cookies.FLOW, secure=secure)
    sealed = cookies.read(request.scope, name)
    begun = flow.unseal(sealed, gateway.secrets) if sealed else None
    if begun is None or not begun.is_of(state, time.time()):
        return _failed(Failure.EXPIRED)
    try:
        await gateway.limits.sign_in(address_of(request))
        answer = await _answer(gateway, provider, request, begun, code=code, error=error, iss=iss)
    except RateLimited:
        answer = _failed(Failure.TOO_MANY)
    except StoreUnavailable as away:
        log.warning("nobody can sign in: %s", away)
        answer = _failed(Failure.UNAVAILABLE)
    cookies.clear(answer, name, secure=secure, same_site="lax")
    return answer


async def _answer(
    gateway: Gateway, provider: Provider, request: Request, begun: Flow, *, code: str, error: str, iss: str
) -> Response:
    if error or not code or iss not in ("", provider.issuer):
        log.info("the OIDC provider signed nobody in", extra={"error": error[:64]})
        return _failed(Failure.REFUSED)
    try:
        identity = await provider.identity(begun, code)
    except NotSignedIn as refusal:
        log.warning("a sign-in by OIDC does not hold: %s", refusal)
        return _failed(Failure.REFUSED)
    membership = await _membership(gateway, identity, begun.workspace)
    if membership is None:
        return _failed(Failure.NO_MEMBER)
    principal = principal_of(membership, math.inf)
    session = await gateway.sessions.begin(principal, Way.OIDC, subject=identity.subject, email=identity.email)
    await end_previous(gateway, request)
    answer = RedirectResponse(begun.target, HTTPStatus.SEE_OTHER)
    give(gateway, request, answer, session)
    return answer


async def _membership(gateway: Gateway, identity: Identity, workspace: str) -> Membership | None:
    """In the workspace that was asked for, or else the first one."""
    async with gateway.database.transaction() as connection:
        found = await memberships_of(connection, identity.subject, identity.email)
    return next((one for one in found if one.slug == workspace), found[0] if found else None)


def _failed(failure: Failure) -> Response:
    return RedirectResponse(f"{flow.HOME}#sign-in={failure.value}", HTTPStatus.SEE_OTHER)


def _provider(gateway: Gateway) -> Provider:
    if gateway.provider is None:
        raise NotFound("no identity provider is set up here", cure="sign in by a token")
    return gateway.provider


def _route(path: str, endpoint: Any) -> APIRoute:
    summary, _, rest = (endpoint.__doc__ or "").partition("\n")
    content = {MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}}
    location = {"description": "The provider, or our own page", "schema": {"type": "string"}}
    return APIRoute(
        path,
        endpoint,
        methods=["GET"],
        status_code=HTTPStatus.SEE_OTHER,
        response_model=None,
        response_class=Response,
        operation_id=endpoint.__name__,
        tags=[TAG],
        summary=summary.strip().rstrip("."),
        description=" ".join(rest.split()),
        responses={
            303: {"description": "Go on there", "headers": {"Location": location}},
            **{code: {"description": MEANINGS[code], "content": content} for code in (401, 404, 422, 500, 503)},
        },
    )


routes: Final = [_route(LOGIN, begin_oidc_sign_in), _route(CALLBACK, finish_oidc_sign_in)]
