"""The quick look at tokens says yes to nothing that PyJWT would refuse, and says the same of what a token says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convex_gateway.jws import ordinary_claims, prepared_secret, signed_payload
from convex_gateway.tokens import LEEWAY, REQUIRED
from tests.support.issuer import signing_key

SECRET = "a secret that is only good for tests, 32 bytes and more"
HS256 = jwt.get_algorithm_by_name("HS256")
NOW = int(time.time())
CLAIMS: dict[str, Any] = {
    "sub": "ada",
    "workspace_id": "0198c5c1-0000-7000-8000-000000000000",
    "role": "editor",
    "iat": NOW,
    "exp": NOW + 600,
    "iss": "convex",
    "aud": "convex",
}
RSA, EC, ED = signing_key("rsa"), signing_key("ec", "ES256"), signing_key("ed", "EdDSA")


def encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def signed(payload: bytes, header: bytes = b'{"alg":"HS256","typ":"JWT"}') -> str:
    parts = encoded(header) + b"." + encoded(payload)
    return (parts + b"." + encoded(hmac.new(SECRET.encode(), parts, hashlib.sha256).digest())).decode()


def quick(token: str) -> Any:
    payload = signed_payload(token, HS256, prepared_secret(SECRET))
    return payload if payload is None else ordinary_claims(payload, issuer="convex", audience="convex", now=NOW)


def close(token: str) -> Any:
    """As it is judged where the quick look says nothing; None where it is refused."""
    try:
        return jwt.decode(
            token,
            SECRET,
            algorithms=["HS256"],
            issuer="convex",
            audience="convex",
            leeway=LEEWAY,
            options={"require": list(REQUIRED), "verify_exp": False},
        )
    except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError):
        return None


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("convex")
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=3), scalars, max_size=2)
changes = st.dictionaries(st.sampled_from([*CLAIMS, "nbf", "jti", "operator"]), values, max_size=3)
ABSENT = st.sets(st.sampled_from(list(CLAIMS)), max_size=1)


def test_most_good_tokens_are_ordinary() -> None:
    for more in ({}, {"aud": ["convex", "billing"]}, {"jti": "1", "nbf": NOW - 1}, {"iat": NOW - 0.5}):
        assert quick(signed(json.dumps(CLAIMS | more).encode())) == CLAIMS | more


@given(changes, ABSENT)
@example({"iat": float("nan")}, set())
@example({"nbf": float("-inf")}, set())
@example({"iat": True}, set())
@example({"aud": ["convex", 3]}, set())
@example({"aud": ["convex", ["convex"]]}, set())
@example({"exp": None}, set())
def test_claims_that_pass_the_quick_look_pass_the_close_one(changed: dict[str, Any], absent: set[str]) -> None:
    claims = {name: value for name, value in (CLAIMS | changed).items() if name not in absent}
    token = signed(json.dumps(claims).encode())
    found = quick(token)
    assert found is None or json.dumps(found) == json.dumps(close(token))


@given(st.data())
def test_no_token_that_somebody_changed_passes(data: st.DataObject) -> None:
    token = signed(json.dumps(CLAIMS).encode())
    at = data.draw(st.integers(0, len(token)))
    upto = data.draw(st.integers(at, min(len(token), at + 3)))
    put = data.draw(st.text("AZaz09-_.=+/ \n!é\0", max_size=3))
    changed = token[:at] + put + token[upto:]
    assert (quick(changed) is not None) == (changed == token)


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b'"convex"'])
def test_what_is_no_claims_is_left_to_the_close_look(payload: bytes) -> None:
    assert quick(signed(payload)) is None


@pytest.mark.parametrize("key", [RSA, EC, ED], ids=lambda key: key.algorithm)
def test_an_issuers_keys_sign_for_themselves_alone(key: Any) -> None:
    algorithm, token = jwt.get_algorithm_by_name(key.algorithm), key.sign(CLAIMS)
    public = key.private.public_key()
    assert json.loads(signed_payload(token, algorithm, public) or b"null") == CLAIMS
    assert signed_payload(token[:-4] + "AAAA", algorithm, public) is None
    other = signing_key("other", key.algorithm).private.public_key()
    assert signed_payload(token, algorithm, other) is None


def test_a_secret_that_is_a_public_key_is_no_secret() -> None:
    from cryptography.hazmat.primitives import serialization

    pem = RSA.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert prepared_secret(pem.decode()) is None
    assert prepared_secret(SECRET) == SECRET.encode()
