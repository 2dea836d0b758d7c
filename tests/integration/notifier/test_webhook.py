"""The webhook channel against a real receiver."""

from __future__ import annotations

import datetime as dt
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from standardwebhooks import Webhook as Verifier

from convex_common.tracing import new_traceparent, span_from
from convex_notifier.channels.webhook import Webhook
from convex_notifier.domain.answer import LONGEST_EXCERPT, Answer, Verdict
from convex_notifier.domain.egress import Egress
from convex_notifier.domain.message import Destination
from convex_notifier.http import Http
from convex_notifier.network import Network
from tests.support.receiver import Receiver, Reply
from tests.unit.notifier.messages import a_message

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOOPBACK = Egress.parse("127.0.0.0/8")
MESSAGE = a_message()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    http = Http(Network(LOOPBACK), connections=4)
    yield Webhook(http)
    http.close()


def send(webhook: Webhook, url: str, *, within: float = 5.0) -> Answer:
    destination = Destination(channel_id=MESSAGE.notification_id, kind="webhook", config={"url": url, "secret": SECRET})
    return webhook.send(MESSAGE, destination, time.monotonic() + within)


def test_a_webhook_is_verified_by_its_receiver(webhook: Webhook, receiver: Receiver) -> None:
    answer = send(webhook, receiver.url("/a/b?c=d&e=%20"))
    assert (answer.verdict, answer.status_code, answer.excerpt) == (Verdict.ACCEPTED, 200, "ok")
    (request,) = receiver.received
    assert request.path == "/a/b?c=d&e=%20"
    assert request.id == str(MESSAGE.delivery_id)
    assert request.headers["content-type"] == "application/json"
    assert Verifier(SECRET).verify(request.body, dict(request.headers))["data"]["alert"] == {"title": "slow"}


def test_the_trace_goes_along(webhook: Webhook, receiver: Receiver) -> None:
    traceparent = new_traceparent()
    with span_from(traceparent, "test"):
        send(webhook, receiver.url())
    assert receiver.received[0].headers["traceparent"].split("-")[1] == traceparent.split("-")[1]


def test_connections_are_kept_and_a_closed_one_is_replaced(webhook: Webhook, receiver: Receiver) -> None:
    receiver.script(Reply(), Reply(headers={"Connection": "close"}), Reply())
    assert [send(webhook, receiver.url()).verdict for _ in range(3)] == [Verdict.ACCEPTED] * 3


def test_a_redirect_is_not_followed(webhook: Webhook, receiver: Receiver) -> None:
    receiver.script(Reply(302, {"Location": receiver.url("/elsewhere")}))
    answer = send(webhook, receiver.url())
    assert answer.verdict is Verdict.REJECTED
    assert "final address" in (answer.error or "")
    assert len(receiver.received) == 1


def test_proxies_of_the_environment_are_not_used(
    webhook: Webhook, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert send(webhook, receiver.url()).verdict is Verdict.ACCEPTED


def test_retry_after_is_passed_on(webhook: Webhook, receiver: Receiver) -> None:
    receiver.script(Reply(503, {"Retry-After": "17"}, b"later"))
    answer = send(webhook, receiver.url())
    assert (answer.verdict, answer.status_code, answer.retry_after) == (Verdict.UNAVAILABLE, 503, 17)
    assert answer.excerpt == "later"


def test_only_the_start_of_an_answer_is_read(webhook: Webhook, receiver: Receiver) -> None:
    receiver.script(Reply(200, {}, b"x" * 20_000_000))
    answer = send(webhook, receiver.url())
    assert (answer.verdict, answer.excerpt) == (Verdict.ACCEPTED, "x" * LONGEST_EXCERPT)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(delay=3), "it took too long"),
        (Reply(disconnect=True), "the connection failed"),
        (Reply(headers={"X-Long": "x" * 300}, drip=0.05), "it took too long"),
    ],
    ids=["late", "disconnects", "drips its headers"],
)
def test_what_fails_on_the_way_is_tried_again(
    webhook: Webhook, receiver: Receiver, reply: Reply, expected: str
) -> None:
    receiver.script(reply)
    began = time.monotonic()
    answer = send(webhook, receiver.url(), within=0.5)
    assert time.monotonic() - began < 1.5
    assert answer.verdict is Verdict.UNAVAILABLE
    assert (answer.error or "").startswith(expected)


def test_a_body_that_drips_after_its_status_is_delivered_all_the_same(webhook: Webhook, receiver: Receiver) -> None:
    receiver.script(Reply(200, body=b"y" * 5000, drip=0.002))
    began = time.monotonic()
    assert send(webhook, receiver.url(), within=1.5).verdict is Verdict.ACCEPTED
    assert time.monotonic() - began < 2.5


def test_nobody_listening_is_tried_again(webhook: Webhook, receiver: Receiver) -> None:
    url = receiver.url()
    receiver.close()
    answer = send(webhook, url)
    assert answer.verdict is Verdict.UNAVAILABLE
    assert "refused" in (answer.error or "")


@pytest.mark.parametrize("url", ["", "ftp://x/y", "http://", "https:///path", "http://[::1", "not a url"])
def test_what_is_no_address_is_final(webhook: Webhook, url: str) -> None:
    answer = send(webhook, url)
    assert answer.verdict is Verdict.REJECTED
    assert (answer.error or "").startswith("config.url")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0177.1", "[::ffff:127.0.0.1]", "[::1]"])
def test_private_addresses_are_refused_by_default(receiver: Receiver, host: str) -> None:
    guarded = Webhook(Http(Network(Egress()), connections=1))
    answer = send(guarded, receiver.url(host=host))
    assert answer.verdict is Verdict.REJECTED
    assert "EGRESS_ALLOW" in (answer.error or "")
    assert receiver.received == []


class TestTls:
    def test_the_name_is_verified_though_the_address_is_connected(self, tmp_path: Path) -> None:
        server, client = certified(tmp_path, "hooks.example")
        receiver = Receiver(tls=server)
        network = Network(LOOPBACK, resolve=lambda host, port: ["127.0.0.1"])
        http = Http(network, connections=2, tls=client)
        channel = Webhook(http)
        try:
            assert send(channel, receiver.url(host="hooks.example")).verdict is Verdict.ACCEPTED
            answer = send(channel, receiver.url(host="other.example"))
        finally:
            http.close()
            receiver.close()
        assert answer.verdict is Verdict.UNAVAILABLE
        assert "other.example" in (answer.error or "")
        assert len(receiver.received) == 1

    def test_an_unknown_authority_is_tried_again(self, tmp_path: Path, webhook: Webhook) -> None:
        server, _ = certified(tmp_path, "localhost")
        receiver = Receiver(tls=server)
        try:
            answer = send(webhook, receiver.url(host="localhost"))
        finally:
            receiver.close()
        assert answer.verdict is Verdict.UNAVAILABLE
        assert "certificate" in (answer.error or "").lower()


def certified(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for `name`, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=str(path))
