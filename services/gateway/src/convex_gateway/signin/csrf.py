"""Whether a request with a cookie was meant: browsers send cookies along with what other pages make them do. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from starlette.types import Scope

from convex_common.errors import Forbidden
from convex_gateway.origins import Site

HEADER: Final = "X-CSRF-Token"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADER: Final = b"x-csrf-token"
_PURPOSE: Final = b"convex csrf token"


def token_of(session_token: str) -> str:
    """The session's own, which nobody can tell without the session's token, nor that one from this."""
    digest = hmac.digest(session_token.encode("utf-8", "surrogatepass"), _PURPOSE, hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def check(scope: Scope, session_token: str, site: Site) -> None:
    """Forbidden unless the method changes nothing, or one of our own pages sent it with the session's token."""
    if scope["method"] in SAFE:
        return
    headers = dict(scope["headers"])
    check_source(scope, headers, site, required=True)
    given = headers.get(_HEADER, b"")
    if not hmac.compare_digest(given, token_of(session_token).encode()):
        raise Forbidden(
            f"the header {HEADER} is missing or another session's", cure="send the csrf_token of GET /auth/session"
        )


def check_source(scope: Scope, headers: Mapping[bytes, bytes], site: Site, *, required: bool) -> None:
    """Forbidden where the browser says that a page from elsewhere sent it, or, where `required`, says nothing."""
    fetched = headers.get(b"sec-fetch-site")
    origin = headers.get(b"origin")
    if fetched is not None and fetched != b"same-origin":
        raise Forbidden("this was sent by a page of another site")
    if origin is not None and not site.is_own(origin.decode("latin-1"), scope):
        raise Forbidden(
            "this was sent by a page of another origin",
            cure="where it is this installation's own, set PUBLIC_URL to it",
        )
    if required and fetched is None and origin is None:
        raise Forbidden(
            "nothing tells which page sent this", cure="send an Origin header, or a token instead of a cookie"
        )
