"""Principals: the header's forms, the lower role, and memberships that are looked up now and then."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import uuid
from collections.abc import Collection, Mapping

import pytest
from prometheus_client import CollectorRegistry

from convex_common.domain.role import Role, Scope
from convex_common.errors import Forbidden, StoreUnavailable, Unauthorized
from convex_common.metrics import Metrics
from convex_gateway.auth import Authenticator
from convex_gateway.memberships import FRESH_SECONDS, Memberships
from convex_gateway.principal import Principal
from convex_gateway.tokens import Claims, SecretSource, Verified, Verifier

WORKSPACE = uuid.uuid4()


class Tokens:
    """Every token is good and says this."""

    def __init__(self, role: Role = Role.OWNER) -> None:
        secret = SecretSource("secret", algorithms=["HS256"], issuer="convex")
        claims = Claims(WORKSPACE, "ada", role, 100.0, operator=False)
        self.known = Verified(claims, secret, Verifier("secret"))

    async def verified(self, token: str, now: float) -> Verified:
        assert token == "token"
        return self.known


class Members:
    """Somebody's role, changeable, with a count of the questions and a clock."""

    def __init__(self, role: Role | None = Role.OWNER) -> None:
        self.role = role
        self.asked = 0
        self.now = 0.0
        self.away = False
        self.metrics = Metrics(CollectorRegistry())

    async def __call__(self, workspace_id: uuid.UUID, user_ids: Collection[str]) -> Mapping[str, str]:
        self.asked += 1
        role = self.role
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailable
        return dict.fromkeys(user_ids, role.value) if role else {}

    def memberships(self, remembered: int = 10) -> Memberships:
        return Memberships(self, self.metrics, clock=lambda: self.now, remembered=remembered)


class Keys:
    """One that never expires, and one that has."""

    GOOD = Principal(WORKSPACE, "key:1", Role.ADMIN, math.inf, False, uuid.uuid4(), frozenset({Scope.READ}))
    EXPIRED = dataclasses.replace(GOOD, expires_at=0.0)

    async def find(self, text: str) -> Principal | None:
        return {"cvx_good": self.GOOD, "cvx_expired": self.EXPIRED}.get(text)


def authenticator(token: Role = Role.OWNER, member: Role | None = Role.OWNER) -> Authenticator:
    return Authenticator(Tokens(token), Members(member).memberships(), Keys(), clock=lambda: 0.0)  # type: ignore[arg-type]  # fakes


@pytest.mark.parametrize("header", ["Bearer token", "bearer token", "BEARER  token "])
def test_a_bearer_header_is_read(header: str) -> None:
    principal = asyncio.run(authenticator().principal(header))
    assert (principal.workspace_id, principal.user_id, principal.expires_at) == (WORKSPACE, "ada", 100.0)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic token", "token"])
def test_another_header_is_refused(header: str | None) -> None:
    with pytest.raises(Unauthorized, match="Authorization"):
        asyncio.run(authenticator().principal(header))


def test_a_request_has_one_header_or_none_that_counts() -> None:
    def ask(*headers: str) -> Principal:
        scope = {"type": "http", "headers": [(b"authorization", header.encode()) for header in headers]}
        return asyncio.run(authenticator().caller(scope))

    assert ask("Bearer token").user_id == "ada"
    for headers, why in (((), "no Authorization header"), (("Bearer token", "Bearer token"), "more than one")):
        with pytest.raises(Unauthorized, match=why):
            ask(*headers)


@pytest.mark.parametrize("token", Role)
@pytest.mark.parametrize("member", Role)
def test_the_lower_role_counts(token: Role, member: Role) -> None:
    principal = asyncio.run(authenticator(token, member).from_token("token"))
    assert principal.role.rank == min(token.rank, member.rank)


def test_a_role_is_required_by_name() -> None:
    principal = asyncio.run(authenticator(Role.RESPONDER).from_token("token"))
    principal.require(Role.VIEWER, Scope.READ)
    principal.require(Role.RESPONDER, Scope.INGEST)
    with pytest.raises(Forbidden, match="editor or higher, yours is responder"):
        principal.require(Role.EDITOR, Scope.CONFIGURE)


def test_a_key_is_told_from_a_token_by_how_it_starts() -> None:
    assert asyncio.run(authenticator().principal("Bearer cvx_good")) == Keys.GOOD
    for text, reason in (("cvx_expired", "has expired"), ("cvx_other", "unknown or revoked")):
        with pytest.raises(Unauthorized, match=reason):
            asyncio.run(authenticator().from_token(text))


def test_a_scope_narrows_the_role_and_is_required_by_name() -> None:
    Keys.GOOD.require(Role.ADMIN, Scope.READ)
    with pytest.raises(Forbidden, match="the scope respond, this one has read"):
        Keys.GOOD.require(Role.VIEWER, Scope.RESPOND)
    with pytest.raises(Forbidden, match="owner or higher"):
        Keys.GOOD.require(Role.OWNER, Scope.READ)


def test_who_is_no_member_is_refused() -> None:
    with pytest.raises(Unauthorized, match="no member"):
        asyncio.run(authenticator(member=None).from_token("token"))


def test_a_membership_is_looked_up_once_in_30_seconds() -> None:
    members = Members()
    memberships = members.memberships()

    async def scenario() -> None:
        together = await asyncio.gather(*(memberships.role_of(WORKSPACE, "ada") for _ in range(5)))
        assert (together, members.asked) == ([Role.OWNER] * 5, 1), "who asks together is answered by one query"
        members.role, members.now = None, FRESH_SECONDS - 0.1
        assert await memberships.role_of(WORKSPACE, "ada") is Role.OWNER
        members.now = FRESH_SECONDS
        assert await memberships.role_of(WORKSPACE, "ada") is None
        members.role, members.now = Role.VIEWER, FRESH_SECONDS + 1
        assert await memberships.role_of(WORKSPACE, "ada") is Role.VIEWER, "who was just added waits a second only"
        assert members.asked == 3
        hits = members.metrics.registry.get_sample_value("cache_hits_total", {"class": "members"})
        assert hits == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("under_way", [False, True], ids=["remembered", "a look-up under way"])
def test_a_member_who_is_forgotten_is_looked_up_again(under_way: bool) -> None:
    members = Members()
    memberships = members.memberships()

    async def scenario() -> None:
        asked = asyncio.create_task(memberships.role_of(WORKSPACE, "ada"))
        await asyncio.sleep(0)
        if not under_way:
            await asked
        memberships.forget(WORKSPACE, "ada")
        members.role = None
        assert await memberships.role_of(WORKSPACE, "ada") is None
        await asked
        assert await memberships.role_of(WORKSPACE, "ada") is None, "the older look-up left nothing behind"

    asyncio.run(scenario())


def test_without_the_store_what_is_fresh_goes_on() -> None:
    members = Members()
    memberships = members.memberships()

    async def scenario() -> None:
        await memberships.role_of(WORKSPACE, "ada")
        members.away = True
        assert await memberships.role_of(WORKSPACE, "ada") is Role.OWNER
        members.now = FRESH_SECONDS
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await memberships.role_of(WORKSPACE, "ada")
        members.away = False
        assert await memberships.role_of(WORKSPACE, "ada") is Role.OWNER

    asyncio.run(scenario())


def test_a_caller_who_goes_away_takes_nobody_along() -> None:
    memberships = Members().memberships()

    async def scenario() -> None:
        first = asyncio.create_task(memberships.role_of(WORKSPACE, "ada"))
        second = asyncio.create_task(memberships.role_of(WORKSPACE, "ada"))
        await asyncio.sleep(0)
        first.cancel()
        assert await second is Role.OWNER

    asyncio.run(scenario())


def test_only_so_many_are_remembered() -> None:
    members = Members()
    memberships = members.memberships(remembered=2)

    async def scenario() -> None:
        for user in ("a", "b", "a", "c", "a", "b"):
            await memberships.role_of(WORKSPACE, user)
        assert members.asked == 4

    asyncio.run(scenario())
