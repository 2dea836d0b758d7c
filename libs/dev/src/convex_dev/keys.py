"""Secrets of the local installation, made once and kept in its folder."""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import asdict, dataclass

from convex_dev.home import Home

FILE = "keys.json"


@dataclass(frozen=True)
class Keys:
    """`encryption_key` is 32 random bytes in URL-safe base64; the others are URL-safe text."""

    jwt_secret: str
    encryption_key: str
    owner_password: str
    service_password: str
    valkey_password: str


def load_or_make(home: Home) -> Keys:
    """The kept keys; missing ones are made and kept."""
    kept = home.read(FILE)
    made = {
        "jwt_secret": secrets.token_urlsafe(48),
        "encryption_key": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "owner_password": secrets.token_urlsafe(24),
        "service_password": secrets.token_urlsafe(24),
        "valkey_password": secrets.token_urlsafe(24),
    }
    keys = Keys(**{name: str(kept.get(name, value)) for name, value in made.items()})
    if asdict(keys) != kept:
        home.write(FILE, asdict(keys))
    return keys
