"""A sign-in that is under way at the provider: what this browser has to come back with. Pure."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from convex_common.secretbox import SecretBox, UnreadableSecret

SECONDS: Final = 600
LONGEST_TARGET: Final = 512
HOME: Final = "/"
_PURPOSE: Final = "sign-in"


@dataclass(frozen=True, slots=True)
class Flow:
    """Bound to one browser by its cookie, to one answer by `state`, to one ID token by `nonce`, to us by `verifier`."""

    state: str
    nonce: str
    verifier: str
    target: str
    workspace: str
    until: float

    def is_of(self, state: str, now: float) -> bool:
        """Whether the provider's answer is the one that this browser waits for, and in time."""
        return now < self.until and hmac.compare_digest(self.state.encode(), state.encode("utf-8", "surrogatepass"))


def begin(target: str, workspace: str, now: float) -> Flow:
    """A new one, good for ten minutes."""
    state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
    return Flow(state, nonce, verifier, target, workspace, now + SECONDS)


def seal(flow: Flow, box: SecretBox) -> str:
    """As a cookie holds it: any gateway of the installation can go on with it, and nobody else can read it."""
    fields = {name: getattr(flow, name) for name in Flow.__slots__}
    return box.seal({"for": _PURPOSE, **fields}).decode("ascii")


def unseal(sealed: str, box: SecretBox) -> Flow | None:
    """The flow again; None for what was not sealed here, or for another purpose."""
    try:
        fields = box.open(sealed.encode("ascii"))
    except (UnreadableSecret, ValueError):
        return None
    return Flow(**fields) if fields.pop("for", None) == _PURPOSE else None


def target_of(asked: str) -> str:
    """A path of our own page, whatever is asked for: nothing that a browser could take for another host."""
    own = asked.startswith("/") and not asked.startswith(("//", "/\\"))
    plain = asked.isascii() and asked.isprintable() and not any(letter in asked for letter in '\\"<> ')
    return asked if own and plain and len(asked) <= LONGEST_TARGET else HOME
