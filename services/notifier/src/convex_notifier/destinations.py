"""Where channels lead, with their secrets opened."""

from __future__ import annotations

import uuid
from typing import Any, Final

import msgspec

from convex_common.secretbox import SecretBox
from convex_notifier.deliveries import Loaded
from convex_notifier.domain import concealed
from convex_notifier.domain.message import Destination

MOST: Final = 1000
"""Destinations remembered before all are forgotten."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Destinations:
    """Opens a channel's configuration once, and anew as soon as it has changed. Thread-safe."""

    def __init__(self, secrets: SecretBox) -> None:
        self._secrets = secrets
        self._opened: dict[uuid.UUID, tuple[str, bytes | None, Destination]] = {}

    def of(self, loaded: Loaded) -> Destination:
        """Where it goes; UnreadableSecret where no key opens the channel's."""
        known = self._opened.get(loaded.channel_id)
        if known and known[:2] == (loaded.config, loaded.secrets):
            return known[2]
        opened = {} if loaded.secrets is None else self._secrets.open(loaded.secrets)
        destination = Destination(
            channel_id=loaded.channel_id,
            kind=loaded.kind,
            config={**_decode(loaded.config), **opened},
            concealed=concealed.parts_of(opened.values()),
        )
        if len(self._opened) >= MOST:
            self._opened.clear()
        self._opened[loaded.channel_id] = loaded.config, loaded.secrets, destination
        return destination
