"""JSON Web Keys: which of a key set can verify what. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
ALGORITHMS: Final = RSA | frozenset(CURVES.values()) | {"EdDSA"}
"""What a public key can verify here. None of them is one of a shared secret, so the two can never be confused."""

SMALLEST_RSA: Final = 2048
MOST_KEYS: Final = 100


@dataclass(frozen=True, slots=True)
class Key:
    """A public key with its name and what it may verify; equal to itself when it is read again."""

    kid: str | None
    algorithms: frozenset[str]
    digest: bytes
    public: Any = field(compare=False, repr=False)


def parse(document: bytes) -> tuple[Key, ...]:
    """The usable keys of a key set; what is no key for signatures, too weak or malformed is left out.

    ValueError where the document is no key set at all.
    """
    try:
        keys = json.loads(document)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("it is no JSON Web Key Set") from None
    if not isinstance(keys, list) or len(keys) > MOST_KEYS:
        raise ValueError("it has no list of keys, or too long a one")
    return tuple(key for key in map(_key, keys) if key is not None)


def _key(jwk: object) -> Key | None:
    if not isinstance(jwk, dict) or "d" in jwk or jwk.get("use", "sig") != "sig":
        return None
    operations = jwk.get("key_ops")
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        return None
    try:
        public, algorithms = _public(jwk)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None
    if "alg" in jwk:
        algorithms = algorithms & {jwk["alg"]} if isinstance(jwk["alg"], str) else frozenset()
    kid = jwk.get("kid")
    if not algorithms or not (kid is None or isinstance(kid, str)):
        return None
    digest = hashlib.sha256(json.dumps(jwk, sort_keys=True).encode()).digest()
    return Key(kid, algorithms, digest, public)


def _public(jwk: Mapping[str, Any]) -> tuple[Any, frozenset[str]]:
    """The key, and what its kind, size or curve can verify: nothing, for one that will not do."""
    public: Any
    match jwk.get("kty"):
        case "RSA":
            public = RSAAlgorithm.from_jwk(dict(jwk))
            usable = isinstance(public, RSAPublicKey) and public.key_size >= SMALLEST_RSA
            return public, RSA if usable else frozenset()
        case "EC":
            public = ECAlgorithm.from_jwk(dict(jwk))
            algorithm = CURVES.get(public.curve.name) if isinstance(public, EllipticCurvePublicKey) else None
            return public, frozenset({algorithm} if algorithm else ())
        case "OKP":
            public = OKPAlgorithm.from_jwk(dict(jwk))
            return public, frozenset({"EdDSA"} if isinstance(public, Ed25519PublicKey) else ())
    return None, frozenset()
