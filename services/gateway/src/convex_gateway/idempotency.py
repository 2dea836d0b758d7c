"""Idempotency-Key: a write that is sent again gets its first answer again, and has no second effect."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.responses import Response

from convex_common.errors import Conflict, Invalid
from convex_common.postgres.idempotency import Kept
from convex_common.secretbox import SecretBox, UnreadableSecret

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
METHODS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
PATTERN: Final = "^[!-~]{1,255}$"
MAX_ANSWER: Final = 1024 * 1024
"""Bytes of an answer's body; none comes near it, and a table is no place for more."""

_KEY: Final = re.compile("[!-~]{1,255}")
_KEPT_HEADERS: Final = ("content-type", "etag", "location")
_NEVER_KEPT: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True, slots=True)
class Once:
    """A request with a key. `scope` is who sent what where under which key, `request` all else that it said."""

    workspace_id: uuid.UUID
    scope: bytes
    request: bytes


class _Answer(msgspec.Struct, frozen=True):
    """An answer as it is sealed."""

    status: int
    headers: dict[str, str]
    body: str


def once(
    workspace_id: uuid.UUID, user_id: str, method: str, path: str, key: str, *, query: str, if_match: str, body: bytes
) -> Once:
    """What the headers and the body come to. Invalid for a key that is none."""
    if not _KEY.fullmatch(key):
        raise Invalid(HEADER, "must have 1 to 255 visible ASCII characters", cure="send a UUID, made for this write")
    scope = _digest(user_id, method, path, key)
    return Once(workspace_id, scope, _digest(query, if_match, body))


def may_be_kept(answer: Response) -> bool:
    """Whether the same request would deserve the same answer later: not a 401, a 429 or what is the server's fault."""
    return answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR and answer.status_code not in _NEVER_KEPT


def sealed(answer: Response, box: SecretBox) -> bytes:
    """The answer as it is stored: unreadable without the keys, since it may tell a secret that is told once."""
    body = bytes(answer.body)
    if len(body) > MAX_ANSWER:
        raise RuntimeError(f"an answer of {len(body)} bytes cannot be kept for its Idempotency-Key")
    headers = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
    return box.seal(msgspec.to_builtins(_Answer(answer.status_code, headers, body.decode())))


def replayed(once: Once, kept: Kept, box: SecretBox) -> Response:
    """The first answer, marked as such. Invalid where the key came with another request, Conflict where it is lost."""
    if kept.request != once.request:
        raise Invalid(
            HEADER, "was sent with another body, query or If-Match before", cure="make a new key for each write"
        )
    try:
        first = msgspec.convert(box.open(kept.answer), _Answer)
    except UnreadableSecret:
        raise Conflict(
            "this was done before, and its answer was sealed with a key that is gone", cure="look at what there is"
        ) from None
    return Response(first.body.encode(), first.status, headers={**first.headers, REPLAYED: "true"})


def parameter() -> Mapping[str, object]:
    """How OpenAPI describes the header."""
    return {
        "name": HEADER,
        "in": "header",
        "required": False,
        "schema": {"type": "string", "pattern": PATTERN, "maxLength": 255, "minLength": 1},
        "description": "Made by the caller for this one write, such as a UUID. Sent again with the same request within "
        f"24 hours it has no second effect: the first answer comes again, with `{REPLAYED}: true`",
    }


def _digest(*parts: str | bytes) -> bytes:
    """SHA-256 over the parts and where each ends."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8))
        digest.update(data)
    return digest.digest()
