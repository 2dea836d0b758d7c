"""A quick yes to an ordinary token that is signed by a key of ours. Whatever else it may be is PyJWT's to judge.

PyJWT takes a fifth of a millisecond to look at a token, most of it to say exactly what is wrong with one; after a
restart everybody comes back within seconds, each with another token. A yes from here is one that PyJWT says, too.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from typing import Any

import jwt
import msgspec
from jwt.algorithms import Algorithm, HMACAlgorithm

_decode = msgspec.json.Decoder().decode


def prepared_secret(secret: str) -> bytes | None:
    """A secret as `signed_payload` takes it; None where PyJWT would not sign with it."""
    try:
        return HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
    except jwt.InvalidKeyError:
        return None


def signed_payload(token: str, algorithm: Algorithm, key: Any) -> bytes | None:
    """What the token says, where this key has signed it; None where it has not, or where the parts are unusual."""
    try:
        signed, _, signature = token.encode("ascii").rpartition(b".")
        _, _, payload = signed.partition(b".")
        if isinstance(algorithm, HMACAlgorithm):
            good = hmac.compare_digest(_segment_of(hmac.digest(key, signed, algorithm.hash_alg)), signature)
        else:
            given = _bytes_of(signature)
            good = given is not None and algorithm.verify(signed, key, given)
        return _bytes_of(payload) if good else None
    except (ValueError, TypeError):
        return None


def ordinary_claims(payload: bytes, *, issuer: str, audience: str, now: float) -> Mapping[str, Any] | None:
    """The claims, where those that every token has are as they should be; None where they have to be looked at."""
    try:
        claims = _decode(payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    if not isinstance(claims, dict):
        return None
    usual = (
        claims.get("iss") == issuer
        and _names(claims.get("aud"), audience)
        and isinstance(claims.get("sub"), str)
        and isinstance(claims.get("jti", ""), str)
        and _is_past(claims.get("iat"), now)
        and _is_past(claims.get("nbf", 0), now)
        and claims.get("exp") is not None
        and claims.get("workspace_id") is not None
        and claims.get("role") is not None
    )
    return claims if usual else None


def _bytes_of(segment: bytes) -> bytes | None:
    """None unless it is just what base64url makes of them: two spellings of one token would be two tokens."""
    decoded = base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
    return decoded if _segment_of(decoded) == segment else None


def _segment_of(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _names(given: object, audience: str) -> bool:
    if isinstance(given, list):
        return audience in given and all(isinstance(one, str) for one in given)
    return given == audience


def _is_past(moment: object, now: float) -> bool:
    return type(moment) in (int, float) and 0 <= moment <= now  # type: ignore[operator]  # numbers, and no booleans
