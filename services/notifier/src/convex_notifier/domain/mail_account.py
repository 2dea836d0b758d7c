"""How the operator's mail server is reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Tls(StrEnum):
    """How the connection is encrypted: not at all, from STARTTLS on, or from its first byte on."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


PORTS: Final = {Tls.NONE: 25, Tls.STARTTLS: 587, Tls.TLS: 465}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where the server is, and as whom we sign in there, if at all."""

    host: str
    port: int
    tls: Tls
    user: str | None = None
    password: str | None = field(default=None, repr=False)
