"""JSON Web Tokens, signed with the installation's secret or with an issuer's keys."""

from __future__ import annotations

import hashlib
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import jwt

from convex_common.domain.role import Role
from convex_common.errors import Unauthorized
from convex_gateway.jws import ordinary_claims, prepared_secret, signed_payload

if TYPE_CHECKING:
    from convex_gateway.jwk import Key
    from convex_gateway.jwks import KeySet

REQUIRED = ("exp", "iat", "iss", "aud", "sub", "workspace_id", "role")
LEEWAY = 10
"""Seconds by which an issuer's clock may be ahead; none for the expiry."""

_ROLES: Final = {role.value: role for role in Role}

LONGEST_TOKEN = 8192
LONGEST_SUBJECT = 255
MOST_HEADERS = 256


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says."""

    workspace_id: uuid.UUID
    user_id: str
    role: Role
    expires_at: float
    operator: bool


class Source(Protocol):
    """What signs tokens: the algorithms that are its own, and the issuer that its tokens name."""

    @property
    def algorithms(self) -> frozenset[str]:
        """Those that a token of its may be signed by."""

    @property
    def issuer(self) -> str:
        """The `iss` of its tokens."""

    async def find(self, kid: str | None, algorithm: str) -> Sequence[Verifier]:
        """The keys that may verify such a token. StoreUnavailable where that cannot be told now."""

    def holds(self, verifier: Verifier) -> bool:
        """Whether what was verified by it is good still."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """Something to verify a signature with; `key` is its name for its source.

    `prepared` is the same as an algorithm takes it without another look, None where it has to be looked at.
    """

    public: Any
    key: Key | None = None
    prepared: Any = None


class SecretSource:
    """Tokens signed with the installation's secret, or with the one that it had before."""

    def __init__(self, *secrets: str, algorithms: Sequence[str], issuer: str) -> None:
        self.algorithms = frozenset(algorithms)
        self.issuer = issuer
        self._verifiers = tuple(Verifier(secret, prepared=prepared_secret(secret)) for secret in secrets)

    async def find(self, kid: str | None, algorithm: str) -> Sequence[Verifier]:
        """Every secret, whatever it is called."""
        return self._verifiers

    def holds(self, verifier: Verifier) -> bool:
        """It stays as long as the process."""
        return True


class JwksSource:
    """Tokens signed with one of an issuer's keys."""

    def __init__(self, keys: KeySet, *, algorithms: Sequence[str], issuer: str) -> None:
        self.algorithms = frozenset(algorithms)
        self.issuer = issuer
        self._keys = keys

    async def find(self, kid: str | None, algorithm: str) -> Sequence[Verifier]:
        """The issuer's keys of this name. IssuerAway."""
        return [Verifier(key.public, key, key.public) for key in await self._keys.find(kid, algorithm)]

    def holds(self, verifier: Verifier) -> bool:
        """While the issuer has the key."""
        return verifier.key is not None and self._keys.holds(verifier.key)


@dataclass(frozen=True, slots=True)
class Verified:
    """A token whose signature was good, and by what. Held against the time and the source's keys at each look."""

    claims: Claims
    source: Source
    verifier: Verifier

    @property
    def holds(self) -> bool:
        """Whether what verified it is good still."""
        return self.source.holds(self.verifier)


class TokenReader:
    """Verifies a token's signature once and remembers its claims by the token's digest, for the latest 10,000.

    Each algorithm belongs to one source, so a token's header chooses among pinned pairs and decides nothing else: keys
    that it brings or points to are not looked at. What a key has verified is forgotten with the key.
    """

    def __init__(self, *sources: Source, audience: str, remembered: int = 10_000) -> None:
        self._sources = {algorithm: source for source in sources for algorithm in source.algorithms}
        if len(self._sources) != sum(len(source.algorithms) for source in sources):
            raise ValueError("an algorithm belongs to one source")
        self._audience = audience
        self._remembered = remembered
        self._known: dict[bytes, Verified] = {}  # the one that was used last is the last one
        self._workspaces: dict[str, uuid.UUID] = {}  # one object for each: ten thousand tokens are one workspace's
        self._algorithms = {name: jwt.get_algorithm_by_name(name) for name in self._sources}
        self._headers: dict[str, tuple[str, str | None]] = {}  # of tokens that were good: an issuer writes a few

    async def read(self, token: str, now: float) -> Claims:
        """The claims, or Unauthorized with the reason and without the token. `now` in seconds since the epoch.

        StoreUnavailable where its issuer's keys are not known and cannot be fetched.
        """
        return (await self.verified(token, now)).claims

    async def verified(self, token: str, now: float) -> Verified:
        """The same with what verified it, for who looks `again` later and would not keep the token."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._known.pop(digest, None)
        if known is None or not known.holds:
            known = await self._verified(token, now)
        if known.claims.expires_at <= now:
            raise _expired()
        self._known[digest] = known
        if len(self._known) > self._remembered:
            del self._known[next(iter(self._known))]
        return known

    def again(self, known: Verified, now: float) -> Claims:
        """The claims of a token that was verified before, as far as they are good still. Unauthorized."""
        if known.claims.expires_at <= now:
            raise _expired()
        if not known.holds:
            raise Unauthorized("the key that signed the token is its issuer's no more", cure="sign in again")
        return known.claims

    async def _verified(self, token: str, now: float) -> Verified:
        if len(token) > LONGEST_TOKEN:
            raise Unauthorized("the token is too long to be one of ours")
        first = token.partition(".")[0]
        algorithm, kid = self._headers.get(first) or _header(token)
        source = self._sources.get(algorithm) if isinstance(algorithm, str) else None
        if algorithm is None or source is None:
            raise Unauthorized("the token is signed by an algorithm that is not accepted here")
        for verifier in await source.find(kid, algorithm):
            try:
                payload = self._ordinary(token, verifier, algorithm, source.issuer, now) or self._decoded(
                    token, verifier.public, algorithm, source.issuer
                )
            except jwt.InvalidSignatureError:
                continue
            self._remember(first, algorithm, kid)
            return Verified(self._claims(payload), source, verifier)
        raise Unauthorized("the token's signature is not ours")

    def _ordinary(
        self, token: str, verifier: Verifier, algorithm: str, issuer: str, now: float
    ) -> Mapping[str, Any] | None:
        """The claims of most tokens that are good; None for all others, which are looked at closely."""
        if verifier.prepared is None:
            return None
        payload = signed_payload(token, self._algorithms[algorithm], verifier.prepared)
        return None if payload is None else ordinary_claims(payload, issuer=issuer, audience=self._audience, now=now)

    def _remember(self, header: str, algorithm: str, kid: str | None) -> None:
        if len(self._headers) >= MOST_HEADERS:
            self._headers.clear()
        self._headers[header] = (algorithm, kid)

    def _claims(self, payload: Mapping[str, Any]) -> Claims:
        subject, role, expires_at = payload["sub"], _ROLES.get(str(payload["role"])), payload["exp"]
        workspace_id = self._workspace_id(payload["workspace_id"])
        if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or "\0" in subject:
            raise Unauthorized("the token's sub is no usable user id")
        if role is None:
            raise Unauthorized("the token's role is none that we know")
        if isinstance(expires_at, bool) or not isinstance(expires_at, int | float) or not math.isfinite(expires_at):
            raise Unauthorized("the token's exp is no time")
        return Claims(workspace_id, subject, role, float(expires_at), payload.get("operator") is True)

    def _workspace_id(self, said: object) -> uuid.UUID:
        known = self._workspaces.get(said) if isinstance(said, str) else None
        if known is not None:
            return known
        try:
            workspace_id = uuid.UUID(said)  # type: ignore[arg-type]  # whatever it is
        except (ValueError, AttributeError, TypeError):
            raise Unauthorized("the token's workspace_id is no UUID") from None
        if len(self._workspaces) >= self._remembered:
            self._workspaces.clear()
        self._workspaces[cast(str, said)] = workspace_id
        return workspace_id

    def _decoded(self, token: str, key: Any, algorithm: str, issuer: str) -> dict[str, Any]:
        try:
            payload: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=issuer,
                audience=self._audience,
                leeway=LEEWAY,
                options={"require": list(REQUIRED), "verify_exp": False},
            )
        except jwt.InvalidSignatureError:
            raise
        except jwt.InvalidTokenError as error:
            raise Unauthorized(_reason(error)) from None
        except (ValueError, TypeError, RecursionError):
            raise Unauthorized("the token is malformed") from None
        return payload


def _expired() -> Unauthorized:
    return Unauthorized("the token has expired", cure="sign in again")


def _header(token: str) -> tuple[Any, Any]:
    """The `alg` and `kid` that it says its signature is of."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError):
        raise Unauthorized("the token is malformed") from None
    if "crit" in header:
        raise Unauthorized("the token asks for extensions that are not known here")
    return header.get("alg"), header.get("kid")


def _reason(error: jwt.InvalidTokenError) -> str:
    """Why, in a sentence of ours: PyJWT's own may quote the token."""
    match error:
        case jwt.MissingRequiredClaimError():
            return f"the token has no claim {error.claim}"
        case jwt.InvalidAudienceError():
            return "the token is for another audience"
        case jwt.InvalidIssuerError():
            return "the token is from another issuer"
        case jwt.ImmatureSignatureError() | jwt.InvalidIssuedAtError():
            return "the token is not valid yet"
    return "the token is malformed"
