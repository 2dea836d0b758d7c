"""The OIDC provider: where it sends people to, and whom it says that came back."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import jwt
from authlib.common.errors import AuthlibBaseError

from convex_common.errors import ConvexError, StoreUnavailable
from convex_gateway.documents import FAILURES, TIMEOUT, Documents
from convex_gateway.jwk import ALGORITHMS
from convex_gateway.jwks import KeySet
from convex_gateway.origins import protected
from convex_gateway.signin.flow import Flow

if TYPE_CHECKING:
    from authlib.integrations.httpx_client import AsyncOAuth2Client

log = logging.getLogger(__name__)

FRESH_SECONDS: Final = 300.0
"""How long the provider's description and keys are gone by."""

LEEWAY: Final = 10
LONGEST_SUBJECT: Final = 255
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class ProviderAway(StoreUnavailable):
    """The provider cannot be reached, or does not answer as one."""


class NotSignedIn(ConvexError):  # noqa: N818 - as the others of the tree
    """The provider did not sign the person in, or what it says of them does not hold. The message is for the log."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the provider vouches for; the address only where it says that it is verified."""

    subject: str
    email: str | None


@dataclass(frozen=True, slots=True)
class Description:
    """What the provider says of itself, and its keys."""

    endpoints: Mapping[str, str]
    userinfo: str | None
    keys: KeySet
    until: float


class Provider:
    """One provider, as it is registered there: the authorization code flow with PKCE, state and nonce."""

    def __init__(
        self,
        documents: Documents,
        *,
        issuer: str,
        client_id: str,
        client_secret: str | None,
        scopes: str,
        redirect_uri: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issuer = issuer
        self._documents = documents
        self._client_id = client_id
        self._client_secret = client_secret
        self._scopes = scopes
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._known: Description | None = None
        self._turn = asyncio.Lock()
        self._make_client, self._http = _client_of_authlib()

    async def address(self, flow: Flow) -> str:
        """Where to send the person. ProviderAway."""
        described = await self._described()
        async with self._client() as client:
            url, _ = client.create_authorization_url(
                described.endpoints["authorization_endpoint"],
                state=flow.state,
                nonce=flow.nonce,
                code_verifier=flow.verifier,
            )
        return str(url)

    async def identity(self, flow: Flow, code: str) -> Identity:
        """Whom it says that came back with this code. ProviderAway, NotSignedIn."""
        described = await self._described()
        try:
            async with asyncio.timeout(TIMEOUT), self._client() as client:
                answer = await client.fetch_token(
                    described.endpoints["token_endpoint"], code=code, code_verifier=flow.verifier
                )
        except AuthlibBaseError as error:
            raise NotSignedIn(f"the code was refused: {error.error}") from None
        except self._http.HTTPStatusError as error:
            raise ProviderAway(f"the token endpoint answered {error.response.status_code}") from None
        except (self._http.HTTPError, self._http.InvalidURL, *FAILURES) as error:
            raise ProviderAway(f"the token endpoint does not answer: {type(error).__name__}") from None
        claims = await self._verified(described.keys, answer.get("id_token"), flow.nonce)
        return await self._identity(described, claims, answer.get("access_token"))

    def _client(self) -> AsyncOAuth2Client:
        return self._make_client(
            self._client_id,
            self._client_secret,
            scope=self._scopes,
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if self._client_secret else "none",
            timeout=TIMEOUT,
        )

    async def _described(self) -> Description:
        async with self._turn:
            if self._known is None or self._clock() >= self._known.until:
                try:
                    document = await self._documents.get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
                    self._known = self._description(json.loads(document))
                except FAILURES as error:
                    raise ProviderAway(f"the OIDC provider's description cannot be had: {error}") from None
            return self._known

    def _description(self, told: Any) -> Description:
        """ValueError for what is not this issuer's, or would send people and codes in the clear."""
        if not isinstance(told, dict) or told.get("issuer") != self.issuer:
            raise ValueError("it is another issuer's, or none")
        endpoints = {name: str(told.get(name, "")) for name in _ENDPOINTS}
        userinfo = told.get("userinfo_endpoint")
        for url in (*endpoints.values(), *([userinfo] if userinfo is not None else [])):
            if not isinstance(url, str) or not protected(url):
                raise ValueError("an endpoint is missing or not reached by HTTPS")
        keys = KeySet(partial(self._documents.get, endpoints["jwks_uri"]))
        return Description(endpoints, userinfo, keys, self._clock() + FRESH_SECONDS)

    async def _verified(self, keys: KeySet, token: object, nonce: str) -> Mapping[str, Any]:
        """The claims of an ID token that is this issuer's, for us, fresh, and of this very sign-in."""
        if not isinstance(token, str):
            raise NotSignedIn("there is no ID token")
        try:
            header = jwt.get_unverified_header(token)
            algorithm = header.get("alg")
            found = await keys.find(header.get("kid"), algorithm) if algorithm in ALGORITHMS else ()
            claims = self._decoded(token, [key.public for key in found], str(algorithm))
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise NotSignedIn(f"the ID token does not hold: {type(error).__name__}") from None
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode("utf-8", "surrogatepass"), nonce.encode()):
            raise NotSignedIn("the ID token is of another sign-in")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self._client_id) != self._client_id:
            raise NotSignedIn("the ID token is for another client")
        return claims

    def _decoded(self, token: str, keys: list[Any], algorithm: str) -> Mapping[str, Any]:
        for key in keys:
            try:
                claims: Mapping[str, Any] = jwt.decode(
                    token,
                    key,
                    algorithms=[algorithm],
                    issuer=self.issuer,
                    audience=self._client_id,
                    leeway=LEEWAY,
                    options={"require": ["exp", "iat", "iss", "aud", "sub"]},
                )
            except jwt.InvalidSignatureError:
                continue
            return claims
        raise jwt.InvalidSignatureError

    async def _identity(self, described: Description, claims: Mapping[str, Any], access_token: object) -> Identity:
        subject = claims["sub"]
        if not _is_text(subject) or not 0 < len(subject) <= LONGEST_SUBJECT:
            raise NotSignedIn("the subject is no usable user id")
        if "email" not in claims and described.userinfo is not None and isinstance(access_token, str):
            claims = await self._asked(described.userinfo, access_token, subject)
        email = claims.get("email")
        verified = claims.get("email_verified") is True and _is_text(email)
        return Identity(subject, email if verified else None)

    async def _asked(self, url: str, access_token: str, subject: str) -> Mapping[str, Any]:
        """What the provider tells of the person beside the ID token; of nobody else."""
        try:
            told = json.loads(await self._documents.get(url, access_token))
        except FAILURES as error:
            raise ProviderAway(f"the userinfo endpoint does not answer: {type(error).__name__}") from None
        if not isinstance(told, dict) or told.get("sub") != subject:
            raise NotSignedIn("the userinfo is somebody else's")
        return told


def _is_text(value: object) -> TypeGuard[str]:
    """Whether it is text that PostgreSQL keeps: JSON may hold a NUL, and halves of characters."""
    return isinstance(value, str) and "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _client_of_authlib() -> tuple[Callable[..., AsyncOAuth2Client], Any]:
    """And the HTTP library whose errors it raises: httpx2 where something has brought that along, or else httpx.

    Imported where there is a provider: it takes a fifth of a gateway's start.
    """
    from authlib.deprecate import AuthlibDeprecationWarning

    with warnings.catch_warnings():  # which HTTP library it will take next is no line of our JSON log
        warnings.simplefilter("ignore", AuthlibDeprecationWarning)
        from authlib.integrations.httpx_client import AsyncOAuth2Client
    made: Callable[..., AsyncOAuth2Client] = AsyncOAuth2Client
    base = next(base for base in AsyncOAuth2Client.__mro__ if base.__name__ == "AsyncClient")
    return made, import_module(base.__module__.partition(".")[0])
