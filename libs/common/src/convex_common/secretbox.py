"""The write-only part of a channel's configuration, encrypted at rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from convex_common.errors import ConvexError, SettingsError


class UnreadableSecret(ConvexError):  # noqa: N818 - as the others of the tree
    """No key that we have opens it."""


class SecretBox:
    """Seals with the first key and opens with any, so that keys are changed by putting a new one in front."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise SettingsError("ENCRYPTION_KEYS: is missing", cure="give one or more Fernet keys, comma-separated")
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise SettingsError(
                "ENCRYPTION_KEYS: holds something else than a Fernet key",
                cure="give 32 random bytes in URL-safe base64 for each, comma-separated",
            ) from None

    def seal(self, secrets: Mapping[str, Any]) -> bytes:
        """The secrets as `open` takes them back."""
        return self._fernet.encrypt(msgspec.json.encode(secrets))

    def open(self, sealed: bytes) -> dict[str, Any]:
        """The secrets again; UnreadableSecret where their key is gone or they were tampered with."""
        try:
            opened: dict[str, Any] = msgspec.json.decode(self._fernet.decrypt(sealed))
        except InvalidToken:
            raise UnreadableSecret(
                "the secret was sealed with a key that is not in ENCRYPTION_KEYS", cure="add the old key at the end"
            ) from None
        return opened
