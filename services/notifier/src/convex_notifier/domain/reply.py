"""What a mail server says, and what it makes of a delivery."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from convex_notifier.domain.answer import LONGEST_ERROR, LONGEST_EXCERPT, Answer, Verdict, printable

_ENHANCED: Final = re.compile(r"([245])\.(\d{1,3})\.\d{1,3}\b")
_SUBJECTS: Final = {
    "1": "the address",
    "2": "the mailbox",
    "3": "the mail system",
    "4": "the network or routing",
    "5": "the protocol",
    "6": "the content",
    "7": "policy or security",
}
"""What an enhanced status code is about (RFC 3463)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply by its code and text, which may begin with an enhanced status code."""

    code: int
    text: str

    @property
    def accepted(self) -> bool:
        return 200 <= self.code < 300

    @property
    def refused(self) -> bool:
        """For good; what is neither accepted nor refused may be tried again."""
        return self.code >= 500

    @property
    def told(self) -> str:
        """Its codes and what they are about, without its text, in which servers repeat addresses."""
        found = _ENHANCED.match(self.text)
        if found is None:
            return str(self.code)
        subject = _SUBJECTS.get(found[2])
        return f"{self.code} {found[0]}{f' ({subject})' if subject else ''}"

    def __str__(self) -> str:
        return f"{self.code} {' '.join(self.text.split())}".strip()


def answer_of(replies: Mapping[str, Reply]) -> Answer:
    """What the server's last words on each recipient make of an attempt.

    Delivered once every recipient has it; tried again while one may get it still; failed where the others were refused.
    The addresses are in the excerpt alone: errors are logged.
    """
    if not replies:
        return Answer(Verdict.REJECTED, "the channel names no recipient; give it one in config.to")
    accepted = [reply for reply in replies.values() if reply.accepted]
    refused = [reply for reply in replies.values() if reply.refused]
    deferred = [reply for reply in replies.values() if not reply.accepted and not reply.refused]
    wrong = [*deferred, *refused]
    excerpt = printable("\n".join(f"{address}: {reply}" for address, reply in replies.items()), LONGEST_EXCERPT)
    if not wrong:
        return Answer(Verdict.ACCEPTED, None, accepted[0].code, excerpt)
    verdict = Verdict.DEFERRED if deferred else Verdict.REJECTED
    return Answer(verdict, _error(len(accepted), deferred, refused), wrong[0].code, excerpt)


def _error(accepted: int, deferred: list[Reply], refused: list[Reply]) -> str:
    total = accepted + len(deferred) + len(refused)
    counted = [f"put off for {len(deferred)}" if deferred else "", f"refused for {len(refused)}" if refused else ""]
    done = f"{accepted} of {total} recipients have it; " if accepted else ""
    codes = ", ".join(dict.fromkeys(reply.told for reply in (*deferred, *refused)))
    return printable(f"{done}{' and '.join(part for part in counted if part)}: {codes}", LONGEST_ERROR)
