"""The write-only part of a channel's configuration, encrypted at rest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from convex_common.errors import ConvexError, SettingsError

PREFIX: Final = b"key:"
ID_LENGTH: Final = 8


class UnreadableSecret(ConvexError):  # noqa: N818 - as the others of the tree
    """No key that we have opens it; once its key is back it is readable again."""

    retry: ClassVar[bool] = True


class SecretBox:
    """Seals with the first key and opens with any, so that keys are changed by putting a new one in front.

    What is sealed names its key: `key:ID:` and a Fernet token. What was sealed before keys had ids is a token alone.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise SettingsError("ENCRYPTION_KEYS: is missing", cure="give one or more Fernet keys, comma-separated")
        try:
            self._by_id = {id_of(key): Fernet(key) for key in keys}
        except ValueError:
            raise SettingsError(
                "ENCRYPTION_KEYS: holds something else than a Fernet key",
                cure="give 32 random bytes in URL-safe base64 for each, comma-separated",
            ) from None
        self.key_ids = tuple(self._by_id)
        """Of the keys, the newest first: it seals."""
        self._any = MultiFernet(list(self._by_id.values()))

    def seal(self, secrets: Mapping[str, Any]) -> bytes:
        """The secrets as `open` takes them back."""
        return self._sealed(msgspec.json.encode(secrets))

    def open(self, sealed: bytes) -> dict[str, Any]:
        """The secrets again; UnreadableSecret where their key is gone or they were tampered with."""
        opened: dict[str, Any] = msgspec.json.decode(self._opened(sealed))
        return opened

    def reseal(self, sealed: bytes) -> bytes:
        """The same secrets under the newest key. UnreadableSecret."""
        return self._sealed(self._opened(sealed))

    def _sealed(self, content: bytes) -> bytes:
        newest = self.key_ids[0]
        return prefix_of(newest) + self._by_id[newest].encrypt(content)

    def _opened(self, sealed: bytes) -> bytes:
        key_id = key_id_of(sealed)
        try:
            if key_id is None:
                return self._any.decrypt(sealed)
            return self._by_id[key_id].decrypt(sealed[len(prefix_of(key_id)) :])
        except (InvalidToken, KeyError):
            raise UnreadableSecret(
                "the secret was sealed with a key that is not in ENCRYPTION_KEYS", cure="add the old key at the end"
            ) from None


def id_of(key: str) -> str:
    """A key's name, which tells nothing of it: the beginning of its digest."""
    return hashlib.sha256(b"convex-key-id:" + key.encode()).hexdigest()[:ID_LENGTH]


def prefix_of(key_id: str) -> bytes:
    """What everything begins with that this key sealed."""
    return PREFIX + key_id.encode() + b":"


def key_id_of(sealed: bytes) -> str | None:
    """The id of the key that sealed it; None for what was sealed before keys had ids."""
    if not sealed.startswith(PREFIX):
        return None
    return sealed[len(PREFIX) : len(PREFIX) + ID_LENGTH].decode("ascii", "replace")
