"""JSON Web Tokens signed with the installation's secret."""

from __future__ import annotations

import hashlib
import math
import uuid
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from convex_common.errors import Unauthorized
from convex_gateway.auth import Role

REQUIRED = ("exp", "iat", "iss", "aud", "sub", "workspace_id", "role")
LEEWAY = 10
"""Seconds by which an issuer's clock may be ahead; none for the expiry."""

LONGEST_TOKEN = 8192
LONGEST_SUBJECT = 255


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says."""

    workspace_id: uuid.UUID
    user_id: str
    role: Role
    expires_at: float
    operator: bool


class TokenReader:
    """Verifies a token's signature once and remembers its claims by the token's digest, for the latest 10,000.

    The algorithms are pinned: what a token's header asks for decides nothing.
    """

    def __init__(
        self, secret: str, *, algorithms: Sequence[str], issuer: str, audience: str, remembered: int = 10_000
    ) -> None:
        self._secret = secret
        self._algorithms = list(algorithms)
        self._issuer = issuer
        self._audience = audience
        self._remembered = remembered
        self._claims: OrderedDict[bytes, Claims] = OrderedDict()

    async def read(self, token: str, now: float) -> Claims:
        """The claims, or Unauthorized with the reason and without the token. `now` in seconds since the epoch."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        claims = self._claims.get(digest)
        if claims is None:
            claims = self._verified(token)
            self._claims[digest] = claims
            if len(self._claims) > self._remembered:
                self._claims.popitem(last=False)
        else:
            self._claims.move_to_end(digest)
        if claims.expires_at <= now:
            self._claims.pop(digest, None)
            raise Unauthorized("the token has expired", cure="sign in again")
        return claims

    def _verified(self, token: str) -> Claims:
        if len(token) > LONGEST_TOKEN:
            raise Unauthorized("the token is too long to be one of ours")
        try:
            payload = jwt.decode(
                token,
                self._secret,
                algorithms=self._algorithms,
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY,
                options={"require": list(REQUIRED), "verify_exp": False},
            )
        except jwt.InvalidTokenError as error:
            raise Unauthorized(_reason(error)) from None
        except (ValueError, TypeError, RecursionError):
            raise Unauthorized("the token is malformed") from None
        return _claims(payload)


def _claims(payload: Mapping[str, Any]) -> Claims:
    try:
        workspace_id = uuid.UUID(payload["workspace_id"])
    except (ValueError, AttributeError, TypeError):
        raise Unauthorized("the token's workspace_id is no UUID") from None
    subject = payload["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or "\0" in subject:
        raise Unauthorized("the token's sub is no usable user id")
    role = payload["role"]
    if role not in list(Role):
        raise Unauthorized("the token's role is none that we know")
    expires_at = payload["exp"]
    if isinstance(expires_at, bool) or not isinstance(expires_at, int | float) or not math.isfinite(expires_at):
        raise Unauthorized("the token's exp is no time")
    return Claims(workspace_id, subject, Role(role), float(expires_at), payload.get("operator") is True)


def _reason(error: jwt.InvalidTokenError) -> str:
    """Why, in a sentence of ours: PyJWT's own may quote the token."""
    match error:
        case jwt.MissingRequiredClaimError():
            return f"the token has no claim {error.claim}"
        case jwt.InvalidAlgorithmError():
            return "the token is signed by an algorithm that is not accepted here"
        case jwt.InvalidAudienceError():
            return "the token is for another audience"
        case jwt.InvalidIssuerError():
            return "the token is from another issuer"
        case jwt.ImmatureSignatureError() | jwt.InvalidIssuedAtError():
            return "the token is not valid yet"
        case jwt.InvalidSignatureError():
            return "the token's signature is not ours"
    return "the token is malformed"
