"""A provider that lies, or a stranger in between: nobody is signed in, told what is inside, or kept waiting."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from convex_common.postgres.bootstrap import ensure_member
from convex_gateway.documents import Documents
from convex_gateway.signin import flow
from convex_gateway.signin.provider import Provider as Ours
from convex_gateway.signin.provider import ProviderAway
from tests.support.gateways import GatewayProcess, gateway_process
from tests.support.issuer import SigningKey, signing_key
from tests.support.oidc import CODE, Answer, Claims, Lie, Provider, answer, lying_provider
from tests.support.postgres import Store

pytestmark = pytest.mark.timeout(180)

SECRET = "hush, it is the client's secret, of 32 bytes and more"
INTERNAL = "<b>at db-7.internal</b>"
"""Part of what a provider says when it fails."""


@pytest.fixture
def provider() -> Iterator[Provider]:
    with lying_provider() as running:
        yield running


def settings(provider: Provider, **more: str) -> dict[str, str]:
    public = {"OIDC_ISSUER": provider.url, "OIDC_CLIENT_ID": "convex", "PUBLIC_URL": "http://127.0.0.1:{port}"}
    return public | more


@pytest.fixture
def gateway(store: Store, provider: Provider) -> Iterator[GatewayProcess]:
    """With Ada as a member, by her subject."""
    ensure_member(store.owner_url, store.workspace_id, "ada", "editor")
    with gateway_process(store.url, **settings(provider, OIDC_CLIENT_SECRET=SECRET)) as process:
        yield process


def login(client: httpx.Client, provider: Provider) -> dict[str, str]:
    """Sent to the provider, and signed in there; with what one was sent."""
    sent = client.get("/auth/oidc/login")
    assert sent.status_code == 303, sent.text
    asked = dict(parse_qsl(urlsplit(sent.headers["location"]).query))
    provider.asked(dict(asked))
    return asked


def signed_in(gateway: GatewayProcess, provider: Provider, lie: Lie, **query: str) -> str:
    """Whom a sign-in made: the user's id, or why nobody, as the page tells it. Nothing else may be told."""
    provider.lie = lie
    with httpx.Client(base_url=gateway.url, timeout=20) as client:
        asked = login(client, provider)
        came = client.get("/auth/oidc/callback", params={"state": asked["state"], "code": CODE} | query)
        return outcome(client, came)


def outcome(client: httpx.Client, came: httpx.Response) -> str:
    session = client.get("/auth/session").json()["session"]
    if session is not None:
        return str(session["user_id"])
    if came.status_code != 303 or came.content or "convex_session" in str(came.headers):
        return f"{came.status_code} {came.headers} {came.text}"
    return came.headers["location"].removeprefix("/#sign-in=")


def changed(**claims: Any) -> Lie:
    """A claim changed to None is left out."""
    return Lie(claims=lambda honest: {name: one for name, one in (honest | claims).items() if one is not None})


def segment(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def unsigned(claims: Claims, key: SigningKey) -> str:
    return f"{segment({'alg': 'none', 'kid': key.kid})}.{segment(claims)}."


def by_client_secret(claims: Claims, key: SigningKey) -> str:
    return jwt.encode(claims, SECRET, algorithm="HS256", headers={"kid": key.kid})


def by_public_key(claims: Claims, key: SigningKey) -> str:
    """The published key as the secret of an HMAC, which PyJWT refuses to make."""
    pem = key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = segment({"alg": "HS256", "kid": key.kid}) + "." + segment(claims)
    mac = hmac.new(pem, head.encode(), hashlib.sha256).digest()
    return head + "." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


STRANGER = signing_key("first")


def by_a_stranger(claims: Claims, key: SigningKey) -> str:
    return STRANGER.sign(claims)


def with_its_own_key(claims: Claims, key: SigningKey) -> str:
    """The header brings the key along that is to be believed."""
    return STRANGER.sign(claims, jwk=STRANGER.jwk, jku="http://evil.example/keys")


def replaced(claims: Claims, key: SigningKey) -> str:
    """Signed for somebody else, and the subject changed afterwards."""
    head, _, signature = key.sign(claims | {"sub": "mallory"}).split(".")
    return f"{head}.{segment(claims)}.{signature}"


def no_email(told: Answer) -> Lie:
    return Lie(claims=lambda honest: {k: v for k, v in honest.items() if "email" not in k}, userinfo=told)


def raw(literal: str) -> Callable[[Claims, SigningKey], str]:
    """`exp` as a literal that JSON has and Python's encoder writes for nobody."""

    def sign(claims: Claims, key: SigningKey) -> str:
        payload = json.dumps(claims | {"exp": 0}).replace('"exp": 0', f'"exp": {literal}').encode()
        return jwt.api_jws.encode(payload, key.private, algorithm="RS256", headers={"kid": key.kid})

    return sign


NOW = int(time.time())
LIES: dict[str, tuple[Lie, str]] = {
    "none": (Lie(), "ada"),
    "another nonce": (changed(nonce="x"), "refused"),
    "no nonce": (changed(nonce=None), "refused"),
    "a nonce that is no text": (changed(nonce=["x"]), "refused"),
    "a nonce of half a character": (changed(nonce="\ud800"), "refused"),
    "another audience": (changed(aud="somebody-else"), "refused"),
    "no audience": (changed(aud=None), "refused"),
    "several audiences and no azp": (changed(aud=["convex", "somebody-else"]), "refused"),
    "several audiences and our azp": (changed(aud=["convex", "somebody-else"], azp="convex"), "ada"),
    "somebody else's azp": (changed(azp="somebody-else"), "refused"),
    "an azp that is no text": (changed(azp={"convex": 1}), "refused"),
    "expired": (changed(exp=NOW - 3600, iat=NOW - 7200), "refused"),
    "never ends": (changed(exp=None), "refused"),
    "ends at infinity": (Lie(sign=raw("1e999")), "refused"),
    "ends at no number": (Lie(sign=raw("NaN")), "refused"),
    "of the future": (changed(iat=NOW + 3600, exp=NOW + 7200), "refused"),
    "not valid yet": (changed(nbf=NOW + 3600), "refused"),
    "another issuer": (changed(iss="https://evil.example"), "refused"),
    "no issuer": (changed(iss=None), "refused"),
    "no subject": (changed(sub=None), "refused"),
    "an empty subject": (changed(sub=""), "refused"),
    "a subject that is no text": (changed(sub=7), "refused"),
    "a subject with a NUL": (changed(sub="ada\0"), "refused"),
    "a subject without an end": (changed(sub="a" * 100_000), "refused"),
    "a subject that no database keeps": (changed(sub="\ud800"), "refused"),
    "unsigned": (Lie(sign=unsigned), "refused"),
    "signed by the client's secret": (Lie(sign=by_client_secret), "refused"),
    "signed by the public key as a secret": (Lie(sign=by_public_key), "refused"),
    "signed by a stranger": (Lie(sign=by_a_stranger), "refused"),
    "brings its own key": (Lie(sign=with_its_own_key), "refused"),
    "changed after it was signed": (Lie(sign=replaced), "refused"),
    "no JWT": (Lie(sign=lambda claims, key: "x.y.z"), "refused"),
    "an empty one": (Lie(sign=lambda claims, key: ""), "refused"),
    "no address, and silent about it": (no_email(answer({"sub": "ada"})), "ada"),
    "userinfo of somebody else": (no_email(answer({"sub": "mallory", "email": "ada@example.com"})), "refused"),
    "userinfo of nobody": (no_email(answer({"email": "ada@example.com", "email_verified": True})), "refused"),
    "userinfo that is a list": (no_email(answer(["ada"])), "refused"),
    "userinfo that is no JSON": (no_email(Answer(b"<html>")), "unavailable"),
    "userinfo that fails": (no_email(answer({"error": INTERNAL}, 500)), "unavailable"),
    "userinfo without an end": (no_email(Answer(b" " * 600_000)), "unavailable"),
    "userinfo elsewhere": (no_email(answer({}, 302, headers={"Location": "http://evil.example"})), "unavailable"),
    "a stranger with an unverified address": (changed(sub="m", email_verified=False), "no-member"),
    "verified in words only": (changed(sub="m", email_verified="true"), "no-member"),
    "an address that no database keeps": (changed(sub="m", email="\ud800@example.com"), "no-member"),
    "the code is refused": (
        Lie(token=answer({"error": "invalid_grant", "error_description": INTERNAL}, 400)),
        "refused",
    ),
    "refused with 200": (Lie(token=answer({"error": INTERNAL})), "refused"),
    "an error that is no text": (Lie(token=answer({"error": {"x": INTERNAL}}, 400)), "refused"),
    "a token endpoint that fails": (Lie(token=answer({"error": INTERNAL}, 500)), "unavailable"),
    "a token endpoint elsewhere": (
        Lie(token=answer({}, 302, headers={"Location": "http://evil.example"})),
        "refused",
    ),
    "tokens that are no JSON": (Lie(token=Answer(INTERNAL.encode(), content_type="text/html")), "unavailable"),
    "tokens nested without an end": (Lie(token=Answer(b"[" * 200_000)), "unavailable"),
    "userinfo nested without an end": (no_email(Answer(b"[" * 200_000)), "unavailable"),
    "tokens that are a list": (Lie(token=answer([INTERNAL])), "unavailable"),
    "tokens that are null": (Lie(token=answer(None)), "unavailable"),
    "tokens that are text": (Lie(token=answer("id_token")), "unavailable"),
    "no ID token": (Lie(token=answer({"access_token": "x", "token_type": "Bearer"})), "refused"),
    "an ID token that is no text": (Lie(token=answer({"access_token": "x", "id_token": {"sub": "ada"}})), "refused"),
    "expires at nonsense": (Lie(token=answer({"access_token": "x", "expires_in": "soon"})), "unavailable"),
    "tokens that never come": (Lie(token=answer({}, after=30)), "unavailable"),
}


def test_lies_sign_nobody_in(gateway: GatewayProcess, provider: Provider) -> None:
    got = {case: signed_in(gateway, provider, lie) for case, (lie, _) in LIES.items()}
    assert got == {case: expected for case, (_, expected) in LIES.items()}
    assert "Traceback" not in gateway.log
    for secret in (
        SECRET,
        CODE,
        *(one.form["code_verifier"] for one in provider.exchanges),
        *filter(None, provider.told),
    ):
        assert secret not in gateway.log
    assert signed_in(gateway, provider, Lie()) == "ada", "and the honest one still does"


STRANGERS: dict[str, tuple[dict[str, str], str]] = {
    "another state": ({"state": "x"}, "expired"),
    "no state": ({"state": ""}, "expired"),
    "a mixed-up provider": ({"iss": "https://evil.example"}, "refused"),
    "this provider, by name": ({"iss": "{issuer}"}, "ada"),
    "a refusal": ({"error": "access_denied", "error_description": INTERNAL}, "refused"),
    "a code of nobody": ({"code": "invented"}, "refused"),
}


def test_strangers_in_between_sign_nobody_in(gateway: GatewayProcess, provider: Provider) -> None:
    got = {}
    for case, (query, _) in STRANGERS.items():
        filled = {name: value.format(issuer=provider.url) for name, value in query.items()}
        provider.exchanges.clear()
        got[case] = signed_in(gateway, provider, Lie(), **filled)
        if case not in ("this provider, by name", "a code of nobody"):
            assert provider.exchanges == [], f"{case}: no code is given away"
    assert got == {case: expected for case, (_, expected) in STRANGERS.items()}


def test_an_answer_that_was_overheard_is_good_for_nothing(gateway: GatewayProcess, provider: Provider) -> None:
    """Also not with the cookie that belongs to it: the code is used up."""
    with httpx.Client(base_url=gateway.url, timeout=20) as client:
        asked = login(client, provider)
        query = {"state": asked["state"], "code": CODE}
        cookie = dict(client.cookies)
        assert outcome(client, client.get("/auth/oidc/callback", params=query)) == "ada"
    for cookies, why in (({}, "expired"), (cookie, "refused")):
        with httpx.Client(base_url=gateway.url, timeout=20, cookies=cookies) as thief:
            assert outcome(thief, thief.get("/auth/oidc/callback", params=query)) == why


def test_a_client_shows_its_secret_and_a_public_one_proves_itself_by_the_verifier(
    gateway: GatewayProcess, store: Store, provider: Provider
) -> None:
    assert signed_in(gateway, provider, Lie()) == "ada"
    (confidential,) = provider.exchanges
    assert confidential.authorization is not None
    assert confidential.authorization.startswith("Basic ")
    assert SECRET not in str(confidential.form)
    provider.exchanges.clear()
    with gateway_process(store.url, **settings(provider)) as public:
        assert signed_in(public, provider, Lie()) == "ada"
        (exchange,) = provider.exchanges
        assert exchange.authorization is None
        assert exchange.form["client_id"] == "convex"
        assert "client_secret" not in exchange.form
        assert len(exchange.form["code_verifier"]) >= 43
        assert signed_in(public, provider, Lie(sign=unsigned)) == "refused"
        assert signed_in(public, provider, Lie(sign=by_client_secret)) == "refused"


DESCRIPTIONS: dict[str, Callable[[dict[str, Any]], Answer]] = {
    "of another issuer": lambda told: answer(told | {"issuer": "https://evil.example"}),
    "codes in the clear": lambda told: answer(told | {"token_endpoint": "http://evil.example/token"}),
    "people in the clear": lambda told: answer(told | {"authorization_endpoint": "http://evil.example/"}),
    "keys in the clear": lambda told: answer(told | {"jwks_uri": "http://evil.example/"}),
    "userinfo in the clear": lambda told: answer(told | {"userinfo_endpoint": "http://evil.example/"}),
    "no token endpoint": lambda told: answer({k: v for k, v in told.items() if k != "token_endpoint"}),
    "an endpoint that is no text": lambda told: answer(told | {"userinfo_endpoint": 7}),
    "a script for an address": lambda told: answer(told | {"authorization_endpoint": "javascript:alert(1)"}),
    "a list": lambda told: answer([told]),
    "no JSON": lambda told: Answer(b"<html>"),
    "nested without an end": lambda told: Answer(b"[" * 200_000),
    "too long": lambda told: Answer(b" " * 600_000),
    "elsewhere": lambda told: answer(told, 302, headers={"Location": "https://evil.example"}),
    "a failure": lambda told: answer(told, 500),
}


@pytest.mark.parametrize("case", DESCRIPTIONS)
def test_a_description_that_cannot_be_believed(case: str, provider: Provider) -> None:
    asyncio.run(_not_believed(provider, DESCRIPTIONS[case]))


async def _not_believed(provider: Provider, lie: Callable[[dict[str, Any]], Answer]) -> None:
    honest = json.loads(provider.description().body)
    provider.description = lambda: lie(honest)  # type: ignore[method-assign]  # the stand-in's own
    documents = Documents()
    ours = Ours(
        documents,
        issuer=provider.url,
        client_id="convex",
        client_secret=None,
        scopes="openid",
        redirect_uri="https://alerts.example.com/auth/oidc/callback",
    )
    begun = flow.begin("/", "", time.time())
    try:
        with pytest.raises(ProviderAway):
            await ours.address(begun)
        provider.description = lambda: answer(honest)  # type: ignore[method-assign]  # the same
        assert (await ours.address(begun)).startswith(f"{provider.url}/authorize?"), "it is asked again"
    finally:
        await documents.aclose()
