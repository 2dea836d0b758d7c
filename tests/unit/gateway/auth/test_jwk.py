"""Key sets: what is a key here, and what it may verify."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed448, x25519
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from convex_gateway.jwk import ALGORITHMS, RSA, parse
from convex_gateway.settings import SECRET_ALGORITHMS
from tests.support.issuer import key_set, octets, signing_key

KEYS = {algorithm: signing_key(algorithm, algorithm) for algorithm in ("RS256", "ES256", "ES384", "ES512", "EdDSA")}
RSA_KEY, EC_KEY = KEYS["RS256"], KEYS["ES256"]


def without(jwk: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in jwk.items() if name not in names}


def test_public_keys_and_secrets_have_no_algorithm_in_common() -> None:
    assert not ALGORITHMS & SECRET_ALGORITHMS


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_key_verifies_its_own_algorithm(algorithm: str) -> None:
    (key,) = parse(key_set(KEYS[algorithm]))
    assert (key.kid, list(key.algorithms)) == (algorithm, [algorithm])
    assert parse(key_set(KEYS[algorithm])) == (key,), "read again it is the same"


def test_without_an_algorithm_of_its_own_its_kind_and_curve_decide() -> None:
    found = parse(key_set(*(without(key.jwk, "alg", "use", "kid") for key in KEYS.values())))
    assert [key.algorithms for key in found] == [RSA, {"ES256"}, {"ES384"}, {"ES512"}, {"EdDSA"}]
    assert {key.kid for key in found} == {None}


X25519 = x25519.X25519PrivateKey.generate().public_key()
PRIVATE = json.loads(RSAAlgorithm.to_jwk(RSA_KEY.private))
LEFT_OUT: dict[str, Any] = {
    "a secret": {"kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "HS256"},
    "a private key": PRIVATE | {"kid": "a"},
    "for encryption": RSA_KEY.jwk | {"use": "enc"},
    "for signing only": RSA_KEY.jwk | {"key_ops": ["sign"]},
    "operations that are no list": RSA_KEY.jwk | {"key_ops": "verify"},
    "of a secret's algorithm": RSA_KEY.jwk | {"alg": "HS256"},
    "of another kind's algorithm": RSA_KEY.jwk | {"alg": "ES256"},
    "of another curve's algorithm": EC_KEY.jwk | {"alg": "ES384"},
    "alg is a list": RSA_KEY.jwk | {"alg": ["RS256"]},
    "alg none": RSA_KEY.jwk | {"alg": "none"},
    "too short": signing_key("a", size=1024).jwk,
    "kid is a number": RSA_KEY.jwk | {"kid": 3},
    "no modulus": without(RSA_KEY.jwk, "n"),
    "a modulus of nonsense": RSA_KEY.jwk | {"n": "!"},
    "a modulus that is no text": RSA_KEY.jwk | {"n": 5},
    "a point off the curve": EC_KEY.jwk | {"x": "AAAA"},
    "an unknown curve": EC_KEY.jwk | {"crv": "P-1"},
    "Ed448": json.loads(OKPAlgorithm.to_jwk(ed448.Ed448PrivateKey.generate().public_key())),
    "no key for signatures": {"kty": "OKP", "crv": "X25519", "x": octets(X25519.public_bytes_raw())},
    "an unknown kind": {"kty": "XYZ"},
    "no kind": {"kid": "a"},
    "text": "key",
    "null": None,
}  # fmt: skip


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_is_no_usable_key_is_left_out_and_takes_none_along(case: str) -> None:
    assert parse(key_set(LEFT_OUT[case], EC_KEY)) == parse(key_set(EC_KEY))


@pytest.mark.parametrize(
    "document",
    [b"", b"{", b"[]", b"{}", b'{"keys": {}}', b'{"keys": null}', b"\xff", b"[" * 100_000, key_set(*[RSA_KEY] * 101)],
    ids=["empty", "broken", "a list", "no keys", "keys by name", "null", "no text", "deep", "too many"],
)
def test_what_is_no_key_set_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match="it "):
        parse(document)


def test_an_empty_key_set_is_one() -> None:
    assert parse(b'{"keys": []}') == ()
