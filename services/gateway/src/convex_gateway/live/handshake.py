"""What an opening request says about where it comes from and who it is. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from convex_gateway.origins import listed, place_of

SUBPROTOCOL: Final = "convex.v1"
_BEARER: Final = "bearer."
_TOKEN_KEYS: Final = frozenset(
    {"token", "access_token", "id_token", "auth", "authorization", "bearer", "jwt", "api_key"}
)
_TOKEN: Final = re.compile(r"(?i:bearer\s+)?(eyJ[\w-]+\.[\w-]+\.[\w-]*|cvx_\S+)")
"""What cannot be anything but a token, whatever it is called."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A token, or a session's by its cookie, or why there cannot be one (`refusal`).

    None of them: then a frame `auth` is to come.
    """

    token: str | None
    refusal: str | None
    subprotocol: str | None
    session: str | None = None


def credentials(headers: Mapping[str, str], subprotocols: Sequence[str], query: str) -> Credentials:
    """The credentials of an opening request; only `convex.v1` is ever echoed, never the token beside it."""
    echoed = SUBPROTOCOL if SUBPROTOCOL in subprotocols else None
    if any(_is_token(name, value) for name, value in parse_qsl(query, keep_blank_values=True)):
        return Credentials(None, "a token in the query ends up in logs; send it in the Authorization header", echoed)
    header = headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return Credentials(None, "the Authorization header is no bearer token", echoed)
        return Credentials(token.strip(), None, echoed)
    offered = next((name for name in subprotocols if name.startswith(_BEARER)), None)
    if offered is None:
        return Credentials(None, None, echoed)
    token = offered.removeprefix(_BEARER)
    return Credentials(token or None, None if token else "the subprotocol bearer.<token> has no token", echoed)


def _is_token(name: str, value: str) -> bool:
    return name.lower() in _TOKEN_KEYS or _TOKEN.fullmatch(value) is not None


def origin_allowed(origin: str | None, host: str | None, allowed: Sequence[str]) -> bool:
    """Whether a page from this origin may open a socket: the gateway's own, or one that is listed (`*`: any).

    No Origin header means no browser. An entry may have a wildcard label: `https://*.example.com`.
    """
    if origin is None or "*" in allowed:
        return True
    place = place_of(origin)
    if place is None:
        return False
    if host is not None and place_of(f"{place[0]}://{host}") == place:
        return True
    return listed(place, allowed)
