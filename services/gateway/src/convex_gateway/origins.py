"""Where a page comes from, and whether that is us. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.types import Scope

_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_SECURE: Final = ("https", "wss")
_PAGES: Final = {"ws": "http", "wss": "https"}

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

Place = tuple[str, str, int]


def place_of(origin: str) -> Place | None:
    """Scheme, host and port; None for what is no origin, such as `null`."""
    try:
        parts = urlsplit(origin.strip())
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or port is None:
        return None
    return parts.scheme, parts.hostname, port


def listed(place: Place, entries: Iterable[str]) -> bool:
    """Whether it is one of the entries, which may have a wildcard label: `https://*.example.com`. `*` is none."""
    return any(_matches(place, entry) for entry in entries)


def _matches(place: Place, entry: str) -> bool:
    wanted = place_of(entry)
    if wanted is None:
        return False
    scheme, host, port = wanted
    if (scheme, port) != (place[0], place[2]):
        return False
    return place[1].endswith(host[1:]) if host.startswith("*.") else place[1] == host


def protected(url: str) -> bool:
    """Whether nobody on the way can change what is read there: by HTTPS, or on this very machine."""
    place = place_of(url)
    return place is not None and (place[0] == "https" or (place[0] == "http" and place[1] in _LOOPBACK))


@dataclass(frozen=True, slots=True)
class Site:
    """This installation as browsers know it: by PUBLIC_URL, or else by what each request says of itself."""

    public_url: str = ""

    def secure(self, scope: Scope) -> bool:
        """Whether the browser speaks HTTPS, to us or to the proxy in front."""
        return self.public_url.startswith("https:") if self.public_url else scope["scheme"] in _SECURE

    def is_own(self, origin: str, scope: Scope) -> bool:
        """Whether a page of this origin is one of ours, to the scheme and the port."""
        place = place_of(origin)
        return place is not None and place == self._place(scope)

    def allows(self, origin: str, scope: Scope, others: Sequence[str]) -> bool:
        """Whether a page of this origin may use a session's cookie: ours, or a listed one; never by `*`."""
        place = place_of(origin)
        return place is not None and (place == self._place(scope) or listed(place, others))

    def _place(self, scope: Scope) -> Place | None:
        if self.public_url:
            return place_of(self.public_url)
        scheme = _PAGES.get(scope["scheme"], scope["scheme"])
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        return place_of(f"{scheme}://{hosts[0].decode('latin-1')}") if len(hosts) == 1 else None
