"""A real mail server (aiosmtpd) that keeps what it gets, and says of each recipient what it is told to say."""

from __future__ import annotations

import asyncio
import email
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from typing import Any, cast

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.eventually import eventually

USER, PASSWORD = "alerts", "a password of tests alone"


@dataclass(frozen=True)
class Mail:
    """One message as it was taken."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    encrypted: bool
    signed_in: bool

    @property
    def message(self) -> EmailMessage:
        return email.message_from_bytes(self.content, policy=policy.default)


@dataclass
class Script:
    """What is said, in order; when it is all said, everything is taken. A reply of None cuts the connection."""

    recipients: dict[str, deque[str]] = field(default_factory=dict)
    data: deque[str | None] = field(default_factory=deque)
    senders: deque[str] = field(default_factory=deque)
    hold: float = 0.0
    """Seconds between taking a message and saying so."""

    def to(self, address: str, *replies: str) -> None:
        """Say this of a recipient."""
        self.recipients.setdefault(address, deque()).extend(replies)


class MailHost:
    """The server on a free port of the loopback, with a thread of its own."""

    def __init__(
        self, *, implicit: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, auth: bool = False,
        smtputf8: bool = False,
    ) -> None:  # fmt: skip
        self.script = Script()
        self.mails: list[Mail] = []
        self._sessions: list[SMTP] = []
        self._implicit = implicit
        self._auth = auth
        self._options: dict[str, Any] = {
            "hostname": "mail.test",
            "tls_context": starttls,
            "require_starttls": starttls is not None,
            "enable_SMTPUTF8": smtputf8,
            "auth_require_tls": False,
            "authenticator": _authenticate,
        }
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        starting = self._loop.create_server(self._session, "127.0.0.1", 0, ssl=implicit)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def wait_for_count(self, count: int, within: float = 15.0) -> list[Mail]:
        """The messages, once there are so many."""
        eventually(lambda: len(self.mails) >= count, within=within, what=f"{count} mails")
        return list(self.mails)

    @property
    def connections(self) -> int:
        """How many there were so far."""
        return len(self._sessions)

    def hang_up(self) -> None:
        """Cut every connection."""
        for session in self._sessions:
            if session.transport is not None:
                self._loop.call_soon_threadsafe(_abort, session)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _session(self) -> SMTP:
        self._sessions.append(SMTP(self, loop=self._loop, **self._options))
        return self._sessions[-1]

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._auth and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if self.script.senders:
            return self.script.senders.popleft()
        envelope.mail_from = address
        return "250 2.1.0 Ok"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if replies := self.script.recipients.get(address):
            return replies.popleft()
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.script.data:
            reply = self.script.data.popleft()
            if reply is None:
                _abort(server)
                return "451 gone"
            return reply
        encrypted = self._implicit is not None or session.ssl is not None
        content = envelope.original_content
        recipients = tuple(envelope.rcpt_tos)
        assert envelope.mail_from is not None
        assert content is not None
        self.mails.append(Mail(envelope.mail_from, recipients, content, encrypted, bool(session.authenticated)))
        place = len(self.mails)
        await asyncio.sleep(self.script.hold)
        return f"250 2.0.0 Ok: queued as {place}"


def _abort(session: SMTP) -> None:
    cast("asyncio.Transport", session.transport).abort()


def _authenticate(_: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False)


@contextmanager
def mail_host(**options: Any) -> Iterator[MailHost]:
    """A mail server for the length of a block."""
    host = MailHost(**options)
    try:
        yield host
    finally:
        host.close()


class Authority:
    """An authority of certificates, and what trusts it."""

    def __init__(self) -> None:
        self.ca = trustme.CA()

    def server(self, name: str = "localhost", **certificate: Any) -> ssl.SSLContext:
        """A server's context with a certificate for the name."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.ca.issue_cert(name, **certificate).configure_cert(context)
        return context

    def client(self) -> ssl.SSLContext:
        """What a client needs to believe it."""
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        return context
