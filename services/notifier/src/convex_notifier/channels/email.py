"""E-mail: one message to a channel's recipients, and again only to those who did not get it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from convex_common.domain.mailbox import Mailbox
from convex_common.errors import StoreUnavailable
from convex_notifier.domain import answer, reply
from convex_notifier.domain.answer import Answer, Verdict
from convex_notifier.domain.message import Destination, Message
from convex_notifier.domain.reply import Reply
from convex_notifier.letters import Letters
from convex_notifier.smtp import MailServer, MailUnavailable

log = logging.getLogger(__name__)

UNCONFIGURED = "this installation sends no e-mail: set SMTP_HOST and SMTP_FROM"


class Answered(Protocol):
    """The last words on a delivery's recipients, kept between attempts."""

    def known(self, message: Message) -> Mapping[str, Reply]: ...

    def remember(self, message: Message, replies: Mapping[str, Reply]) -> None: ...


class Email:
    """Everybody of a channel gets one message, and sees who else does.

    A recipient is left out of later attempts once the server took the message for them, or refused them for good.
    """

    def __init__(self, server: MailServer, letters: Letters, sender: Mailbox, answered: Answered) -> None:
        self._server = server
        self._letters = letters
        self._sender = sender
        self._answered = answered

    def send(self, message: Message, destination: Destination, deadline: float) -> Answer:
        """One attempt, under the same Message-ID each time."""
        try:
            mailboxes = _mailboxes(destination)
        except ValueError:
            return answer.rejected("config.to: names no mailbox; give the channel other recipients")
        try:
            replies = dict(self._answered.known(message))
            if left := [mailbox for mailbox in mailboxes if mailbox.address not in replies]:
                replies |= self._handed_over(message, destination, mailboxes, left, deadline)
        except StoreUnavailable as error:
            return answer.deferred(str(error))
        except MailUnavailable as error:
            return answer.unavailable(str(error))
        given = reply.answer_of({mailbox.address: replies[mailbox.address] for mailbox in mailboxes})
        if given.verdict is not Verdict.ACCEPTED:
            self._remember(message, replies)
        return given

    def _handed_over(
        self,
        message: Message,
        destination: Destination,
        mailboxes: Sequence[Mailbox],
        left: Sequence[Mailbox],
        deadline: float,
    ) -> dict[str, Reply]:
        def written(utf8: bool) -> bytes:
            named = [mailbox for mailbox in mailboxes if utf8 or mailbox.address.isascii()]
            return self._letters.write(message, destination, named, utf8=utf8)

        return self._server.send(self._sender.address, [one.address for one in left], written, deadline)

    def _remember(self, message: Message, replies: Mapping[str, Reply]) -> None:
        """Where this fails, those who have the message get it again, under its old Message-ID."""
        final = {address: said for address, said in replies.items() if said.accepted or said.refused}
        try:
            if final:
                self._answered.remember(message, final)
        except StoreUnavailable as error:
            log.warning("who has an e-mail already was not saved: %s", error)


class Unconfigured:
    """Stands for e-mail where there is no mail server: what is due waits for the operator, then is quarantined."""

    def send(self, message: Message, destination: Destination, deadline: float) -> Answer:
        """Nothing is sent."""
        return answer.unavailable(UNCONFIGURED)


def _mailboxes(destination: Destination) -> list[Mailbox]:
    return list(dict.fromkeys(Mailbox.parse(str(address)) for address in destination.config.get("to") or ()))
