"""API keys: how one is written, and who may make or revoke which."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from convex_common.domain.role import Role, Scope

START: Final = "cvx_"
PRINCIPAL: Final = "key:"
"""What a key's user id starts with, and no member's may."""

LONGEST: Final = 128
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PREFIX: Final = 8
_SECRET: Final = 43
"""256 bits, so that a digest without salt or stretching is enough: there is nothing to guess."""


@dataclass(frozen=True, slots=True)
class Minted:
    """A new key's text, told once, and the two things that are kept of it."""

    text: str
    prefix: str
    digest: bytes


def mint(choose: Callable[[str], str] = secrets.choice) -> Minted:
    """A new key, `cvx_<prefix>_<secret>`; `choose` is where its chance comes from."""
    prefix, secret = ("".join(choose(_ALPHABET) for _ in range(length)) for length in (_PREFIX, _SECRET))
    text = f"{START}{prefix}_{secret}"
    return Minted(text, START + prefix, digest_of(text))


def chosen(text: str) -> Minted | None:
    """A key that somebody else made up, in the form of `mint`; None where it has another form."""
    if not re.fullmatch(rf"{START}[0-9A-Za-z]{{{_PREFIX}}}_[0-9A-Za-z]{{{_SECRET}}}", text):
        return None
    return Minted(text, text.rpartition("_")[0], digest_of(text))


def digest_of(text: str) -> bytes:
    """The SHA-256 by which a key is found."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def principal_of(key_id: uuid.UUID) -> str:
    """The user id of a key."""
    return f"{PRINCIPAL}{key_id}"


class Refusal(StrEnum):
    """Why a key may not be made or touched by somebody."""

    ROLE_ABOVE = "a key's role may not be above your own"
    SCOPES_BEYOND = "a key with scopes can only make keys with some of its own"
    OUTLIVES = "a key that expires can only make keys that expire no later"
    UNUSABLE_SCOPE = "one of the scopes is of no use to this role"


@dataclass(frozen=True, slots=True)
class Maker:
    """Who makes or touches a key; `scopes` and `expires_at` are those of a key, and empty for a person."""

    role: Role
    scopes: frozenset[Scope] = frozenset()
    expires_at: dt.datetime | None = None


def may_make(maker: Maker, role: Role, scopes: frozenset[Scope], expires_at: dt.datetime | None) -> Refusal | None:
    """Why not, or None. A key passes on nothing that it has not got itself."""
    if not maker.role.allows(role):
        return Refusal.ROLE_ABOVE
    if any(not role.allows(scope.least) for scope in scopes):
        return Refusal.UNUSABLE_SCOPE
    if maker.scopes and not (scopes and scopes <= maker.scopes):
        return Refusal.SCOPES_BEYOND
    if maker.expires_at is not None and (expires_at is None or expires_at > maker.expires_at):
        return Refusal.OUTLIVES
    return None
