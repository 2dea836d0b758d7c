"""The two cookies: a session's, and that of a sign-in which is under way at the OIDC provider. Pure."""

from __future__ import annotations

from typing import Final, Literal

from starlette.responses import Response
from starlette.types import Scope

from convex_common.errors import Unauthorized

SESSION: Final = "convex_session"
FLOW: Final = "convex_sign_in"
_HOST: Final = "__Host-"
"""By this prefix browsers promise: set by this very host, over HTTPS. No sibling can plant such a one."""

SameSite = Literal["strict", "lax"]


def name_of(cookie: str, *, secure: bool) -> str:
    """Its name where the browser speaks HTTPS, and where not."""
    return _HOST + cookie if secure else cookie


def read(scope: Scope, name: str) -> str | None:
    """Its value, None without one. Unauthorized where the browser sends two: one of them was planted."""
    found = set()
    for header, value in scope["headers"]:
        if header == b"cookie":
            for part in value.decode("latin-1").split(";"):
                key, separator, content = part.strip().partition("=")
                if separator and key == name:
                    found.add(content.strip().strip('"'))
    if len(found) > 1:
        raise Unauthorized(f"there is more than one cookie {name}", cure="clear this site's cookies and sign in again")
    return found.pop() if found else None


def write(response: Response, name: str, value: str, *, seconds: int, secure: bool, same_site: SameSite) -> None:
    """Give it to the browser; no script can read it."""
    response.set_cookie(name, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite=same_site)


def clear(response: Response, name: str, *, secure: bool, same_site: SameSite) -> None:
    """Take it from the browser."""
    response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite=same_site)
