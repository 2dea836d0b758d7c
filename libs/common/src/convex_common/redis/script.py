"""Lua scripts by their digests."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Script:
    """A Lua script by its digest, or by its text where the server has forgotten it (NOSCRIPT)."""

    text: bytes

    @cached_property
    def sha(self) -> str:
        """The digest as Redis computes it."""
        return hashlib.sha1(self.text, usedforsecurity=False).hexdigest()
