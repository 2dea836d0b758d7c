"""A channel's secrets in what its other side answers: servers echo addresses and more, and many read the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from convex_notifier.domain.answer import Answer

SHORTEST: Final = 9
"""Characters of a part that is worth concealing; what is shorter is no secret, and in every other word."""

INSTEAD: Final = "[secret]"


def parts_of(secrets: Iterable[object]) -> tuple[str, ...]:
    """What may be echoed of these secrets, the longest first: themselves, and an address's path and query in parts."""
    parts: set[str] = set()
    for secret in secrets:
        if not isinstance(secret, str):
            continue
        parts |= {secret, secret.rpartition("_")[2]}
        if "://" in secret:
            parts |= _of_address(secret)
    parts |= {unquote(part) for part in parts}
    return tuple(sorted((part for part in parts if len(part) >= SHORTEST), key=lambda part: (-len(part), part)))


def _of_address(address: str) -> set[str]:
    """Its path, whole and in pieces, and its query's values. Read by hand: a malformed address is a secret, too."""
    rest = address.partition("://")[2].partition("#")[0]
    place, _, query = rest.partition("?")
    path = place[place.find("/") :] if "/" in place else ""
    return {path, *path.split("/"), *(pair.partition("=")[2] for pair in query.split("&"))}


def within(answer: Answer, parts: tuple[str, ...]) -> Answer:
    """The same answer without them, also where it was cut off amid one."""
    if not parts:
        return answer
    return replace(answer, error=_without(answer.error, parts), excerpt=_without(answer.excerpt, parts))


def _without(text: str | None, parts: tuple[str, ...]) -> str | None:
    if text is None:
        return None
    for part in parts:
        text = text.replace(part, INSTEAD)
    for part in parts:
        for length in range(min(len(part) - 1, len(text)), SHORTEST - 1, -1):
            if text.endswith(part[:length]):
                return text[:-length] + INSTEAD
    return text
