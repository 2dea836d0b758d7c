"""The operator's mail server: kept connections, and everything on them within one deadline."""

from __future__ import annotations

import logging
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import httpcore

from convex_common.errors import ConvexError
from convex_common.tracing import current_span
from convex_notifier.domain.mail_account import Account, Tls
from convex_notifier.domain.reply import Reply
from convex_notifier.network import Network

log = logging.getLogger(__name__)

MESSAGES: Final = 100
"""Messages on one connection at most: servers have such limits too, and some end the connection at theirs."""
KEPT_SECONDS: Final = 30.0
UNAVAILABLE: Final = 421
NEEDS_SIGN_IN: Final = frozenset({530, 534, 535, 538})
NO_UTF8: Final = Reply(553, "5.6.7 the mail server takes no addresses beyond ASCII (SMTPUTF8)")


class MailUnavailable(ConvexError):  # noqa: N818 - as the others of the tree
    """The mail server takes no message at all for now, or does not let us in."""

    retry = True


@dataclass(slots=True)
class _Session:
    """A connection that is signed in."""

    smtp: smtplib.SMTP
    used_at: float
    messages: int = 0


class MailServer:
    """Hands messages over. Thread-safe; at most `idle` connections are kept, each used by one thread at a time.

    With TLS certificates are verified, and a server that offers no STARTTLS gets neither password nor message.
    """

    def __init__(self, account: Account, network: Network, tls: ssl.SSLContext, *, idle: int) -> None:
        self._account = account
        self._network = network
        self._tls = tls
        self._most = idle
        self._lock = threading.Lock()
        self._idle: list[_Session] = []

    def send(
        self, sender: str, recipients: Sequence[str], message: Callable[[bool], bytes], deadline: float
    ) -> dict[str, Reply]:
        """The server's last word on each recipient, within `deadline` of the monotonic clock.

        `message` gives the bytes to send, in UTF-8 if told so. MailUnavailable where the server gave no such word; what
        it was sent by then it may have taken all the same.
        """
        late = threading.Event()
        current_span().set_attributes(
            {
                "network.protocol.name": "smtp",
                "server.address": self._account.host,
                "server.port": self._account.port,
                "convex.recipients": len(recipients),
            }
        )
        try:
            with self._network.until(deadline), self._session(late) as session:
                return _transaction(session.smtp, sender, recipients, message)
        except MailUnavailable:
            raise
        except (smtplib.SMTPException, httpcore.NetworkError, httpcore.TimeoutException, OSError) as error:
            raise MailUnavailable("the mail server took too long" if late.is_set() else _told(error)) from error

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            with suppress(smtplib.SMTPException, OSError):
                session.smtp.putcmd("QUIT")
            session.smtp.close()

    @contextmanager
    def _session(self, late: threading.Event) -> Iterator[_Session]:
        """A connection of this thread's, kept afterwards if nothing went wrong on it."""
        session = self._kept(late) or _Session(smtplib.SMTP(local_hostname="localhost"), 0.0)
        try:
            with self._cut_when_late(session.smtp, late):
                if session.messages == 0:
                    self._connect(session.smtp)
                yield session
        except BaseException:
            session.smtp.close()
            raise
        session.messages += 1
        session.used_at = time.monotonic()
        self._keep(session)

    def _kept(self, late: threading.Event) -> _Session | None:
        """The connection that was used last and still works."""
        while True:
            with self._lock:
                session = self._idle.pop() if self._idle else None
            if session is None:
                return None
            if time.monotonic() - session.used_at < KEPT_SECONDS:
                with suppress(smtplib.SMTPException, OSError), self._cut_when_late(session.smtp, late):
                    if session.smtp.noop()[0] == 250:
                        return session
            session.smtp.close()

    def _keep(self, session: _Session) -> None:
        with self._lock:
            if session.smtp.sock is not None and session.messages < MESSAGES and len(self._idle) < self._most:
                self._idle.append(session)
                return
        session.smtp.close()

    def _connect(self, smtp: smtplib.SMTP) -> None:
        account = self._account
        smtp.sock = self._network.connect_tcp(account.host, account.port).get_extra_info("socket")
        smtp.sock.settimeout(self._network.left() + 1.0)
        smtp.local_hostname = _own_name(smtp.sock)
        if account.tls is Tls.TLS:
            self._encrypt(smtp)
        _expect(220, smtp.getreply(), "did not greet us")
        _hello(smtp)
        if account.tls is Tls.STARTTLS:
            if not smtp.has_extn("starttls"):
                raise MailUnavailable(
                    "the mail server offers no STARTTLS, and nothing is sent to it in the clear",
                    cure="set SMTP_TLS=tls, or SMTP_TLS=none on a network that you trust",
                )
            _expect(220, smtp.docmd("STARTTLS"), "refused STARTTLS")
            self._encrypt(smtp)
            _hello(smtp)
        if account.user is not None:
            _sign_in(smtp, account.user, account.password or "")

    def _encrypt(self, smtp: smtplib.SMTP) -> None:
        """From here on; what the server had said before is forgotten, since anybody may have said it (RFC 3207)."""
        assert smtp.sock is not None
        smtp.sock = self._tls.wrap_socket(smtp.sock, server_hostname=self._account.host, do_handshake_on_connect=False)
        smtp.sock.do_handshake()
        smtp.file = None
        smtp.helo_resp = smtp.ehlo_resp = None
        smtp.esmtp_features = {}
        smtp.does_esmtp = False

    @contextmanager
    def _cut_when_late(self, smtp: smtplib.SMTP, late: threading.Event) -> Iterator[None]:
        """Cut the connection at this thread's deadline: a socket's own timeout begins anew with every byte."""

        def cut() -> None:
            late.set()
            if smtp.sock is not None:
                with suppress(OSError):
                    socket.socket.shutdown(smtp.sock, socket.SHUT_RDWR)

        if smtp.sock is not None:
            smtp.sock.settimeout(self._network.left() + 1.0)
        timer = threading.Timer(self._network.left(), cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _transaction(
    smtp: smtplib.SMTP, sender: str, recipients: Sequence[str], message: Callable[[bool], bytes]
) -> dict[str, Reply]:
    beyond_ascii = [address for address in recipients if not address.isascii()]
    utf8 = bool(beyond_ascii) and smtp.has_extn("smtputf8")
    replies = {} if utf8 else dict.fromkeys(beyond_ascii, NO_UTF8)
    asked = [address for address in recipients if address not in replies]
    if not asked:
        return replies
    content = message(utf8)
    from_reply = _reply(smtp.mail(sender, _options(smtp, len(content), utf8)))
    if not from_reply.accepted:
        _reset(smtp)
        return replies | dict.fromkeys(asked, from_reply)
    replies |= {address: _reply(smtp.rcpt(address)) for address in asked}
    accepted = [address for address in asked if replies[address].accepted]
    if not accepted:
        _reset(smtp)
        return replies
    try:
        said = _reply(smtp.data(content))
    except smtplib.SMTPDataError as error:
        said = _reply((error.smtp_code, _bytes(error.smtp_error)))
    if not said.accepted:
        _reset(smtp)
    return replies | dict.fromkeys(accepted, said)


def _options(smtp: smtplib.SMTP, size: int, utf8: bool) -> list[str]:
    return [f"SIZE={size}"] * smtp.has_extn("size") + ["SMTPUTF8", "BODY=8BITMIME"] * utf8


def _reset(smtp: smtplib.SMTP) -> None:
    """Ready for the next message; a server that is not is left."""
    with suppress(smtplib.SMTPException, OSError):
        if smtp.rset()[0] == 250:
            return
    smtp.close()


def _reply(said: tuple[int, bytes]) -> Reply:
    """MailUnavailable where it concerns every message and not just this one."""
    reply = Reply(said[0], said[1].decode("utf-8", "replace"))
    if reply.code == UNAVAILABLE or reply.code in NEEDS_SIGN_IN or reply.code < 200:
        raise MailUnavailable(f"the mail server takes no message now: {reply.told}")
    return reply


def _expect(code: int, said: tuple[int, bytes], otherwise: str) -> None:
    if said[0] != code:
        raise MailUnavailable(f"the mail server {otherwise}: {Reply(said[0], said[1].decode('utf-8', 'replace'))}")


def _hello(smtp: smtplib.SMTP) -> None:
    """By EHLO; by HELO where the server knows no better."""
    if smtp.ehlo()[0] != 250:
        _expect(250, smtp.helo(), "refused EHLO and HELO")


def _sign_in(smtp: smtplib.SMTP, user: str, password: str) -> None:
    try:
        smtp.login(user, password)
    except smtplib.SMTPAuthenticationError as error:
        raise MailUnavailable(
            f"the mail server refused the sign-in ({error.smtp_code})", cure="check SMTP_USER and SMTP_PASSWORD"
        ) from None
    except smtplib.SMTPServerDisconnected:
        raise
    except smtplib.SMTPException:
        raise MailUnavailable(
            "the mail server offers no way to sign in that we know", cure="leave SMTP_USER out, or mend SMTP_TLS"
        ) from None


def _own_name(connected: socket.socket) -> str:
    """A name with a dot, which many servers insist on, else our address in the form that RFC 5321 has for it."""
    name = socket.gethostname()
    if "." in name and name.isascii():
        return name
    address = connected.getsockname()[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _told(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the mail server's certificate is not to be trusted: {error.verify_message}; "
            "mend it, or name its authority's file in SSL_CERT_FILE"
        )
    if isinstance(error, ssl.SSLError):
        return f"no TLS with the mail server ({error.reason or error}); check SMTP_TLS and SMTP_PORT"
    if isinstance(error, (TimeoutError, httpcore.TimeoutException)):
        return "the mail server took too long"
    return f"the connection to the mail server failed: {error or type(error).__name__}"
