"""Handing messages to real mail servers: encrypted or not, signed in or not, slow, broken and lying ones."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from convex_notifier.domain.egress import Egress
from convex_notifier.domain.mail_account import Account, Tls
from convex_notifier.domain.reply import Reply
from convex_notifier.network import Network
from convex_notifier.smtp import MESSAGES, MailServer, MailUnavailable
from tests.support.eventually import eventually
from tests.support.smtp import PASSWORD, USER, Authority, MailHost, mail_host

AUTHORITY = Authority()
FROM = "alerts@example.com"
ANN, BOB = "ann@example.com", "bob@example.com"
CONTENT = b"Subject: hello\r\n\r\nworld\r\n.\r\n..end\r\n"


@contextmanager
def client(port: int, *, idle: int = 4, trusts: ssl.SSLContext | None = None, **account: Any) -> Iterator[MailServer]:
    named = Account(**{"host": "localhost", "port": port, "tls": Tls.NONE, **account})
    server = MailServer(named, Network(Egress.anywhere()), trusts or AUTHORITY.client(), idle=idle)
    try:
        yield server
    finally:
        server.close()


def send(server: MailServer, *to: str, content: bytes = CONTENT, within: float = 10.0) -> dict[str, Reply]:
    return server.send(FROM, to or (ANN,), lambda utf8: content, time.monotonic() + within)


def failure(server: MailServer, within: float = 10.0) -> str:
    with pytest.raises(MailUnavailable) as raised:
        send(server, within=within)
    return str(raised.value)


@pytest.mark.parametrize("tls", list(Tls))
@pytest.mark.parametrize("auth", [False, True], ids=["no auth", "auth"])
def test_a_message_arrives_as_it_was(tls: Tls, auth: bool) -> None:
    given: dict[str, Any] = {"user": USER, "password": PASSWORD} if auth else {}
    with mail_host(auth=auth, **_encrypting(tls)) as host, client(host.port, tls=tls, **given) as server:
        assert send(server) == {ANN: Reply(250, "2.0.0 Ok: queued as 1")}
    (mail,) = host.mails
    assert (mail.sender, mail.recipients, mail.content) == (FROM, (ANN,), CONTENT)
    assert (mail.encrypted, mail.signed_in) == (tls is not Tls.NONE, auth)


@pytest.mark.parametrize("tls", list(Tls))
def test_a_wrong_password_is_told_and_nothing_sent(tls: Tls) -> None:
    with (
        mail_host(auth=True, **_encrypting(tls)) as host,
        client(host.port, tls=tls, user=USER, password="another") as server,
    ):
        told = failure(server)
    assert told == "the mail server refused the sign-in (535); check SMTP_USER and SMTP_PASSWORD"
    assert host.mails == []


def test_a_server_that_wants_a_sign_in_is_told() -> None:
    with mail_host(auth=True) as host, client(host.port) as server:
        assert failure(server) == "the mail server takes no message now: 530 5.7.0 (policy or security)"


def test_a_server_that_knows_no_sign_in_is_told() -> None:
    with mail_host() as host, client(host.port, user=USER, password=PASSWORD) as server:
        host._options["authenticator"] = None
        host._options["auth_exclude_mechanism"] = ["PLAIN", "LOGIN"]
        assert "leave SMTP_USER out" in failure(server)


def test_a_stripped_starttls_gets_neither_password_nor_message() -> None:
    with (
        mail_host(auth=True) as host,
        client(host.port, tls=Tls.STARTTLS, user=USER, password=PASSWORD) as server,
    ):
        assert "offers no STARTTLS" in failure(server)
    assert host.mails == []


YESTERDAY = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.TLS])
@pytest.mark.parametrize(
    ("certificate", "trusts", "told"),
    [
        pytest.param(
            lambda: AUTHORITY.server(not_after=YESTERDAY, not_before=YESTERDAY - dt.timedelta(days=9)),
            AUTHORITY.client, "certificate has expired", id="expired",
        ),
        pytest.param(lambda: AUTHORITY.server("other.example"), AUTHORITY.client, "localhost", id="another's"),
        pytest.param(Authority().server, ssl.create_default_context, "SSL_CERT_FILE", id="unknown authority"),
    ],
)  # fmt: skip
def test_a_certificate_that_is_not_right_gets_nothing(
    tls: Tls, certificate: Callable[[], ssl.SSLContext], trusts: Callable[[], ssl.SSLContext], told: str
) -> None:
    context = certificate()
    options = {"implicit": context} if tls is Tls.TLS else {"starttls": context}
    with mail_host(**options) as host, client(host.port, tls=tls, trusts=trusts()) as server:
        said = failure(server)
    assert said.startswith("the mail server's certificate is not to be trusted: ")
    assert told in said
    assert host.mails == []


def test_the_wrong_kind_of_tls_is_told() -> None:
    with mail_host() as host, client(host.port, tls=Tls.TLS) as server:
        assert "check SMTP_TLS and SMTP_PORT" in failure(server)


class TestReplies:
    @pytest.fixture
    def host(self) -> Iterator[MailHost]:
        with mail_host() as made:
            yield made

    def test_each_recipient_has_its_own(self, host: MailHost) -> None:
        host.script.to(BOB, "550 5.1.1 no such user")
        with client(host.port) as server:
            replies = send(server, ANN, BOB)
        assert replies == {ANN: Reply(250, "2.0.0 Ok: queued as 1"), BOB: Reply(550, "5.1.1 no such user")}
        assert host.mails[0].recipients == (ANN,)

    def test_nobody_is_left_and_no_message_sent(self, host: MailHost) -> None:
        host.script.to(ANN, "451 4.7.1 later")
        host.script.to(BOB, "550 5.1.1 never")
        with client(host.port) as server:
            assert {one.code for one in send(server, ANN, BOB).values()} == {451, 550}
            assert host.mails == []
            assert send(server, ANN)[ANN].accepted
        assert host.connections == 1

    def test_of_the_message_it_is_everybodys(self, host: MailHost) -> None:
        host.script.to(BOB, "550 5.1.1 never")
        host.script.data.append("552 5.3.4 too big")
        with client(host.port) as server:
            replies = send(server, ANN, BOB)
        assert [replies[one].code for one in (ANN, BOB)] == [552, 550]

    def test_of_the_sender_it_is_everybodys(self, host: MailHost) -> None:
        host.script.senders.append("553 5.7.1 not from you")
        with client(host.port) as server:
            assert send(server, ANN, BOB) == dict.fromkeys((ANN, BOB), Reply(553, "5.7.1 not from you"))
            assert send(server, ANN)[ANN].accepted

    @pytest.mark.parametrize("where", ["senders", "recipients", "data"])
    def test_a_server_that_closes_is_unavailable(self, host: MailHost, where: str) -> None:
        if where == "recipients":
            host.script.to(ANN, "421 4.3.2 shutting down")
        else:
            getattr(host.script, where).append("421 4.3.2 shutting down")
        with client(host.port) as server:
            assert failure(server) == "the mail server takes no message now: 421 4.3.2 (the mail system)"
            assert send(server)[ANN].accepted
        assert host.connections == 2

    def test_a_connection_cut_within_the_message_is_unavailable(self, host: MailHost) -> None:
        host.script.data.append(None)
        with client(host.port) as server:
            assert failure(server).startswith("the connection to the mail server failed")
            assert send(server)[ANN].accepted


class TestAddressesBeyondAscii:
    ANNE = "änne@example.com"

    def test_a_server_with_smtputf8_gets_them(self) -> None:
        with mail_host(smtputf8=True) as host, client(host.port) as server:
            asked: list[bool] = []
            message = lambda utf8: asked.append(utf8) or CONTENT  # type: ignore[func-returns-value]  # noqa: E731
            replies = server.send(FROM, [ANN, self.ANNE], message, time.monotonic() + 5)
        assert (asked, {reply.code for reply in replies.values()}) == ([True], {250})
        assert host.mails[0].recipients == (ANN, self.ANNE)

    def test_others_get_the_rest(self) -> None:
        with mail_host() as host, client(host.port) as server:
            replies = send(server, ANN, self.ANNE)
            assert send(server, self.ANNE)[self.ANNE].refused
        assert replies[ANN].accepted
        assert (replies[self.ANNE].code, "SMTPUTF8" in replies[self.ANNE].text) == (553, True)
        assert [mail.recipients for mail in host.mails] == [(ANN,)]


class TestConnections:
    def test_one_is_kept_for_the_next(self) -> None:
        with mail_host() as host, client(host.port) as server:
            for _ in range(5):
                send(server)
        assert (len(host.mails), host.connections) == (5, 1)

    def test_each_thread_has_one_of_its_own(self) -> None:
        with mail_host() as host, client(host.port, idle=4) as server:
            threads = [threading.Thread(target=lambda: [send(server) for _ in range(5)]) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
        assert len(host.mails) == 20
        assert host.connections <= 4

    def test_a_new_one_takes_the_place_of_one_that_the_server_closed(self) -> None:
        with mail_host() as host, client(host.port) as server:
            send(server)
            host.hang_up()
            assert send(server)[ANN].accepted
        assert host.connections == 2

    def test_a_new_one_takes_the_place_of_one_that_has_carried_many(self) -> None:
        with mail_host() as host, client(host.port) as server:
            send(server)
            server._idle[0].messages = MESSAGES - 1
            send(server)
            send(server)
        assert host.connections == 2


@contextmanager
def talking(speak: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that speaks so to whoever connects."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_quietly, args=(speak, connection), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def _quietly(speak: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with suppress(OSError):
        speak(connection)


def _silence(connection: socket.socket) -> None:
    connection.recv(1000)
    time.sleep(30)


def _drip(connection: socket.socket) -> None:
    connection.sendall(b"220-")
    for _ in range(300):
        connection.sendall(b"x")
        time.sleep(0.1)


def _drip_within_tls(connection: socket.socket) -> None:
    connection.sendall(b"\x16\x03\x03\x40\x00")
    for _ in range(300):
        connection.sendall(b"\x00")
        time.sleep(0.1)


def _hang_after_the_message(connection: socket.socket) -> None:
    connection.sendall(b"220 hello\r\n")
    for _ in range(3):
        connection.recv(1000)
        connection.sendall(b"250 ok\r\n")
    connection.recv(1000)
    connection.sendall(b"354 go on\r\n")
    time.sleep(30)


@pytest.mark.parametrize(
    ("speak", "tls"),
    [
        pytest.param(_silence, Tls.NONE, id="says nothing"),
        pytest.param(_silence, Tls.TLS, id="says nothing, where TLS begins"),
        pytest.param(_drip, Tls.NONE, id="drips its greeting"),
        pytest.param(_drip_within_tls, Tls.TLS, id="drips its part of the handshake"),
        pytest.param(_hang_after_the_message, Tls.NONE, id="never says that it took the message"),
    ],
)
def test_the_deadline_holds_for_a_server_that(speak: Callable[[socket.socket], None], tls: Tls) -> None:
    with talking(speak) as port, client(port, tls=tls) as server:
        began = time.monotonic()
        assert failure(server, within=0.7) == "the mail server took too long"
        assert time.monotonic() - began < 20


def test_the_deadline_holds_where_nothing_answers_at_all() -> None:
    """A listener whose queue is full drops what comes next, as a firewall does."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        with client(port, host="127.0.0.1") as server:
            began = time.monotonic()
            assert failure(server, within=0.7) == "the mail server took too long"
            assert time.monotonic() - began < 20
        for one in waiting:
            one.close()


@pytest.mark.parametrize(
    ("greeting", "told"),
    [
        (b"554 5.7.1 go away\r\n", "the mail server did not greet us: 554 5.7.1 go away"),
        (b"421 4.3.2 busy\r\n", "the mail server did not greet us: 421 4.3.2 busy"),
        (b"HTTP/1.1 400 Bad Request\r\n", "the mail server did not greet us: -1"),
        (b"", "the connection to the mail server failed"),
    ],
)
def test_what_is_no_welcome_is_told(greeting: bytes, told: str) -> None:
    def speak(connection: socket.socket) -> None:
        connection.sendall(greeting)
        connection.close()

    with talking(speak) as port, client(port) as server:
        assert failure(server).startswith(told)


def test_nobody_listening_is_told() -> None:
    with mail_host() as host:
        port = host.port
    eventually(lambda: _refused(port))
    with client(port) as server:
        assert "refused" in failure(server)


def test_a_server_that_knows_helo_alone_is_spoken_to() -> None:
    said: list[bytes] = []

    def speak(connection: socket.socket) -> None:
        connection.sendall(b"220 old\r\n")
        stream = connection.makefile("rb")
        within = False
        for line in stream:
            said.append(line)
            if within and line != b".\r\n":
                continue
            if line.startswith(b"EHLO"):
                connection.sendall(b"500 what?\r\n")
            elif line.startswith(b"DATA"):
                within = True
                connection.sendall(b"354 go on\r\n")
            else:
                within = False
                connection.sendall(b"250 ok\r\n")

    with talking(speak) as port, client(port) as server:
        assert send(server)[ANN] == Reply(250, "ok")
    assert b"MAIL FROM:<alerts@example.com>\r\n" in [line.replace(b"mail FROM", b"MAIL FROM") for line in said]


def _encrypting(tls: Tls) -> dict[str, ssl.SSLContext]:
    match tls:
        case Tls.TLS:
            return {"implicit": AUTHORITY.server()}
        case Tls.STARTTLS:
            return {"starttls": AUTHORITY.server()}
    return {}


def _refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
