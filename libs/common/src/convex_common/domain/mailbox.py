"""Addresses of mailboxes: which are taken, and how they travel."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

import idna

LONGEST: Final = 254
LONGEST_LOCAL: Final = 64
LOCAL: Final = re.compile(r"[^\s@.\"(),:;<>\[\\\]]+(\.[^\s@.\"(),:;<>\[\\\]]+)*")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox: `local` may have any script, which takes a server with SMTPUTF8; `domain` is in ASCII (IDNA)."""

    local: str
    domain: str

    @property
    def address(self) -> str:
        """As SMTP wants it."""
        return f"{self.local}@{self.domain}"

    @classmethod
    def parse(cls, address: str) -> Mailbox:
        """Of `local@domain`, no display name, no quotes, no comments, no address literals; ValueError for all else."""
        local, at, domain = unicodedata.normalize("NFC", address).rpartition("@")
        if not at or not LOCAL.fullmatch(local) or not local.isprintable():
            raise ValueError("is no address; write it as name@example.com")
        if len(local.encode()) > LONGEST_LOCAL:
            raise ValueError(f"has more than {LONGEST_LOCAL} bytes before the @")
        try:
            encoded = idna.encode(domain, uts46=True, std3_rules=True).decode()
        except (idna.IDNAError, UnicodeError):
            raise ValueError("has no valid domain after the @") from None
        mailbox = cls(local, encoded.lower())
        if encoded.endswith(".") or len(mailbox.address.encode()) > LONGEST:
            raise ValueError(f"has a domain that ends in a dot, or more than {LONGEST} bytes")
        return mailbox
