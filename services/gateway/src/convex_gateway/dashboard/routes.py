"""Serves the dashboard as it was built, and the API's description, with headers that let nothing else run."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

if TYPE_CHECKING:
    from convex_gateway.context import Gateway

SECTIONS: Final = (
    "alerts",
    "rules",
    "silences",
    "channels",
    "deliveries",
    "insights",
    "queues",
    "jobs",
    "health",
    "settings",
)
"""First parts of the addresses that the dashboard's own router knows (src/app/router.tsx): all are the same page."""

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS: Final = {"Content-Security-Policy": POLICY}
"""What the shield gives to every answer is not repeated here."""

ASKED_ANEW: Final = "no-cache"
KEPT: Final = "public, max-age=31536000, immutable"
"""For names that carry a digest of what they hold: another content is another name."""

ENCODINGS: Final = {"br": "br", "gz": "gzip"}
TEXTS: Final = {"text/html", "text/css", "text/javascript", "text/markdown"}


@dataclass(frozen=True)
class File:
    """A file as it is sent; `smaller` are the same bytes compressed, the smallest first, by their encoding."""

    content: bytes
    kind: str
    caching: str
    smaller: Mapping[str, bytes] = field(default_factory=dict)

    @cached_property
    def etag(self) -> str:
        """What a browser shows when it asks whether it still has the right one."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'

    def answer(self, request: Request) -> Response:
        """The file in the best encoding that the browser takes, or 304 where it has it."""
        headers = {**HEADERS, "Cache-Control": self.caching, "Content-Type": self.kind, "ETag": self.etag}
        if self.smaller:
            headers["Vary"] = "Accept-Encoding"
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        taken = {part.partition(";")[0].strip() for part in request.headers.get("accept-encoding", "").split(",")}
        for encoding, content in self.smaller.items():
            if encoding in taken:
                return Response(content, headers={**headers, "Content-Encoding": encoding})
        return Response(self.content, headers=headers)


def routes(_: Gateway) -> list[BaseRoute]:
    """The pages and one route for each file; nothing is looked up on disk by a request's path."""
    folder = resources.files("convex_gateway.dashboard")
    return [*_dashboard(folder / "built", folder / "static"), *_description(folder / "static")]


def _dashboard(built: Traversable, static: Traversable) -> Iterator[BaseRoute]:
    files = _files(built) if built.is_dir() else {}
    page = files.pop("index.html", None) or _read(static / "absent.html", ASKED_ANEW)
    for address in ("/", *(f"/{name}" for name in SECTIONS), *(f"/{name}/{{rest:path}}" for name in SECTIONS)):
        yield Route(address, page.answer, include_in_schema=False)
    for name, file in files.items():
        yield Route(f"/dashboard/{name}", file.answer, include_in_schema=False)


def _description(static: Traversable) -> Iterator[BaseRoute]:
    for entry in static.iterdir():
        if entry.name == "absent.html":
            continue
        address = "/docs" if entry.name == "docs.html" else f"/docs/{entry.name}"
        yield Route(address, _read(entry, ASKED_ANEW).answer, include_in_schema=False)


def _files(folder: Traversable, below: str = "") -> dict[str, File]:
    """Every file by its path in the folder, with its compressed forms."""
    found: dict[str, File] = {}
    entries = {entry.name: entry for entry in folder.iterdir()}
    for name, entry in entries.items():
        if entry.is_dir():
            found.update(_files(entry, f"{below}{name}/"))
        elif name.rpartition(".")[2] not in ENCODINGS:
            smaller = {
                encoding: entries[f"{name}.{suffix}"].read_bytes()
                for suffix, encoding in ENCODINGS.items()
                if f"{name}.{suffix}" in entries
            }
            found[below + name] = _read(entry, KEPT if below == "assets/" else ASKED_ANEW, smaller)
    return found


def _read(entry: Traversable, caching: str, smaller: Mapping[str, bytes] | None = None) -> File:
    kind = mimetypes.guess_type(entry.name, strict=False)[0] or "application/octet-stream"
    return File(entry.read_bytes(), f"{kind}; charset=utf-8" if kind in TEXTS else kind, caching, dict(smaller or {}))
