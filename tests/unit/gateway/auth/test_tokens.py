"""Tokens: what is refused, for which reason, and what is remembered."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
import uuid
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import Algorithm

from convex_common.domain.role import Role
from convex_common.errors import Unauthorized
from convex_gateway.jws import signed_payload
from convex_gateway.tokens import LONGEST_TOKEN, Claims, SecretSource, TokenReader

SECRET = "a secret that is only good for tests, 32 bytes and more"
WORKSPACE = uuid.uuid4()
NOW = int(time.time())
CLAIMS: dict[str, Any] = {
    "sub": "ada",
    "workspace_id": str(WORKSPACE),
    "role": "editor",
    "iat": NOW,
    "exp": NOW + 60,
    "iss": "convex",
    "aud": "convex",
}


def reader(remembered: int = 10) -> TokenReader:
    return TokenReader(
        SecretSource(SECRET, algorithms=["HS256"], issuer="convex"), audience="convex", remembered=remembered
    )


def read(tokens: TokenReader, token: str, now: float) -> Claims:
    return asyncio.run(tokens.read(token, now))


def signed(secret: str = SECRET, algorithm: str = "HS256", **changed: Any) -> str:
    return jwt.encode(CLAIMS | changed, secret, algorithm=algorithm)


def without(claim: str) -> str:
    return jwt.encode({name: value for name, value in CLAIMS.items() if name != claim}, SECRET, algorithm="HS256")


def by_hand(header: dict[str, Any], claims: object, key: bytes = SECRET.encode()) -> str:
    """A token as an attacker makes it, past the library's own checks."""
    first, second = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims))
    signature = hmac.new(key, first + b"." + second, hashlib.sha256).digest()
    return b".".join((first, second, base64.urlsafe_b64encode(signature).rstrip(b"="))).decode()


def public_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_while_the_secret_changes_tokens_of_both_are_good() -> None:
    before = "the secret of before, which is no worse and as long as it has to be"
    tokens = TokenReader(SecretSource(SECRET, before, algorithms=["HS256"], issuer="convex"), audience="convex")
    assert read(tokens, signed(), NOW).user_id == "ada"
    assert read(tokens, signed(before), NOW).user_id == "ada"
    with pytest.raises(Unauthorized, match="signature is not ours"):
        read(tokens, signed("a secret of somebody else's that is long enough, too"), NOW)
    with pytest.raises(Unauthorized, match="signature is not ours"):
        read(reader(), signed(before), NOW)


def test_a_good_token_is_its_claims() -> None:
    claims = read(reader(), signed(operator=True), NOW)
    assert (claims.workspace_id, claims.user_id, claims.role) == (WORKSPACE, "ada", Role.EDITOR)
    assert (claims.expires_at, claims.operator) == (NOW + 60, True)
    assert read(reader(), signed(), NOW).operator is False
    assert read(reader(), signed(operator="yes"), NOW).operator is False
    assert read(reader(), signed(iat=NOW + 5), NOW).user_id == "ada", "an issuer's clock may be a little ahead"


REFUSED: dict[str, tuple[str, str]] = {
    "expired": (signed(exp=NOW - 1), "expired"),
    "expires this second": (signed(exp=NOW), "expired"),
    "another secret": (signed("another secret that is long enough for HS256"), "signature"),
    "alg none": (by_hand({"alg": "none", "typ": "JWT"}, CLAIMS, b""), "algorithm"),
    "alg none, no signature": (by_hand({"alg": "none"}, CLAIMS).rpartition(".")[0] + ".", "algorithm"),
    "alg None": (by_hand({"alg": "None"}, CLAIMS), "algorithm"),
    "alg RS256, signed with a public key": (by_hand({"alg": "RS256"}, CLAIMS, public_key()), "algorithm"),
    "alg HS256, signed with a public key": (by_hand({"alg": "HS256"}, CLAIMS, public_key()), "signature"),
    "alg not pinned": (signed(SECRET * 2, "HS512"), "algorithm"),
    "alg missing": (by_hand({"typ": "JWT"}, CLAIMS), ""),
    "key in the header": (
        by_hand({"alg": "HS256", "jwk": {"kty": "oct", "k": "YQ"}}, CLAIMS, b"a"), "signature"),
    "crit": (by_hand({"alg": "HS256", "crit": ["b64"], "b64": False}, CLAIMS), ""),
    "kid is a number": (by_hand({"alg": "HS256", "kid": 3}, CLAIMS), "malformed"),
    "another audience": (signed(aud="billing"), "audience"),
    "another issuer": (signed(iss="evil"), "issuer"),
    "issued in the future": (signed(iat=NOW + 3600), "not valid yet"),
    "not before the future": (signed(nbf=NOW + 3600), "not valid yet"),
    "unknown role": (signed(role="root"), "role"),
    "role is a list": (by_hand({"alg": "HS256"}, CLAIMS | {"role": ["owner"]}), "role"),
    "workspace is no id": (signed(workspace_id="demo"), "workspace_id"),
    "workspace is a number": (signed(workspace_id=3), "workspace_id"),
    "nobody": (signed(sub=""), "sub"),
    "NUL in sub": (signed(sub="a\0"), "sub"),
    "long sub": (signed(sub="a" * 256), "sub"),
    "exp is text": (by_hand({"alg": "HS256"}, CLAIMS | {"exp": "never"}), "exp"),
    "exp is a switch": (by_hand({"alg": "HS256"}, CLAIMS | {"exp": True}), "exp"),
    "exp is Infinity": (by_hand({"alg": "HS256"}, CLAIMS | {"exp": float("inf")}), "exp"),
    "claims are a list": (by_hand({"alg": "HS256"}, []), "malformed"),
    "empty": ("", "malformed"),
    "two parts": ("a.b", "malformed"),
    "no base64": ("!.!.!", "malformed"),
    "text beyond ASCII": ("é.é.é", "malformed"),
    "surrogates": ("\udc80.a.b", "malformed"),
    "an API key": ("cvx_0123456789", "malformed"),
    "too long": (signed(sub="a" * LONGEST_TOKEN), "too long"),
    **{f"no {claim}": (without(claim), claim) for claim in CLAIMS},
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_other_tokens_are_refused_with_the_reason_and_without_the_token(case: str) -> None:
    token, why = REFUSED[case]
    with pytest.raises(Unauthorized) as refusal:
        read(reader(), token, NOW)
    assert why in str(refusal.value)
    assert not token or token not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_a_tampered_token_is_refused() -> None:
    header, _, signature = signed().split(".")
    owner = base64.urlsafe_b64encode(json.dumps(CLAIMS | {"role": "owner"}).encode()).rstrip(b"=").decode()
    with pytest.raises(Unauthorized, match="signature"):
        read(reader(), f"{header}.{owner}.{signature}", NOW)


def test_a_signature_is_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(token: str, algorithm: Algorithm, key: bytes) -> bytes | None:
        calls.append(token)
        return signed_payload(token, algorithm, key)

    monkeypatch.setattr("convex_gateway.tokens.signed_payload", counted)
    tokens = reader(remembered=2)
    one, two, three = (signed(sub=name) for name in "abc")
    for token in (one, one, two, one, three, one, two):
        read(tokens, token, NOW)
    assert calls == [one, two, three, two], "the one that was unused for longest was forgotten"


def test_a_remembered_token_expires_all_the_same() -> None:
    tokens, token = reader(), signed()
    read(tokens, token, NOW + 59)
    with pytest.raises(Unauthorized, match="expired"):
        read(tokens, token, NOW + 60)


def test_several_algorithms_may_be_pinned() -> None:
    secret = SECRET * 2
    tokens = TokenReader(SecretSource(secret, algorithms=["HS256", "HS512"], issuer="convex"), audience="convex")
    for algorithm in ("HS256", "HS512"):
        assert read(tokens, signed(secret, algorithm), NOW).user_id == "ada"
