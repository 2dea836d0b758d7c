"""Webhooks: signed by Standard Webhooks, to addresses that the egress rules permit."""

from __future__ import annotations

import datetime as dt
import functools
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

import certifi
import httpcore
import httpx

from convex_common.errors import Invalid
from convex_common.tracing import current_traceparent
from convex_notifier.connections import Connections
from convex_notifier.domain import answer, standard_webhook
from convex_notifier.domain.answer import LONGEST_EXCERPT, Answer
from convex_notifier.domain.message import Destination, Message
from convex_notifier.network import EgressRefused, Network

READ_TIMEOUT: Final = 10.0
KEPT_ALIVE_SECONDS: Final = 15.0


class Webhook:
    """One POST per attempt on pooled connections; no redirects, no proxies, no more than 4 KiB of the answer read."""

    def __init__(
        self,
        network: Network,
        *,
        connections: int,
        tls: ssl.SSLContext | None = None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._network = network
        self._now = now
        self._connections = Connections(network, tls or trusting(), idle=connections, kept_seconds=KEPT_ALIVE_SECONDS)

    def send(self, message: Message, destination: Destination, deadline: float) -> Answer:
        """One attempt: an answer in any case."""
        try:
            url = _address(str(destination.config.get("url") or ""))
            content = standard_webhook.body(message)
            headers = self._headers(message, content, destination.config.get("secret"))
            with self._network.until(deadline):
                return self._post(url, headers, content)
        except (Invalid, EgressRefused) as error:
            return answer.rejected(str(error))
        except (httpcore.TimeoutException, TimeoutError) as error:
            return answer.unavailable(f"it took too long: {_told(error)}")
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            return answer.unavailable(f"the connection failed: {_told(error)}")

    def close(self) -> None:
        """Close every connection."""
        self._connections.close()

    def _headers(self, message: Message, content: bytes, secret: str | None) -> dict[str, str]:
        headers = {
            "content-type": "application/json",
            "user-agent": "convex-alerts",
            "accept-encoding": "identity",
            **standard_webhook.headers(message.delivery_id, content, secret, self._now()),
        }
        if traceparent := current_traceparent():
            headers["traceparent"] = traceparent
        return headers

    def _post(self, url: httpcore.URL, headers: dict[str, str], content: bytes) -> Answer:
        left = self._network.left()
        timeouts = {"connect": left, "write": left, "read": min(READ_TIMEOUT, left)}
        with (
            self._connections.to(url) as connection,
            connection.stream(
                "POST", url, headers=list(headers.items()), content=content, extensions={"timeout": timeouts}
            ) as response,
        ):
            retry_after = next(
                (value.decode("latin-1") for name, value in response.headers if name.lower() == b"retry-after"), None
            )
            return answer.of_status(response.status, retry_after, _start(iter(response.iter_stream())), self._now())


def trusting() -> ssl.SSLContext:
    """The system's authorities (SSL_CERT_FILE is heeded) and Mozilla's, for images without any."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


@functools.lru_cache(maxsize=1000)
def _address(url: str) -> httpcore.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise Invalid("config.url", f"is no address: {error}") from None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise Invalid("config.url", "is no address", cure="start it with https:// and a host")
    return httpcore.URL(scheme=parsed.raw_scheme, host=parsed.raw_host, port=parsed.port, target=parsed.raw_path)


def _start(body: Iterator[bytes]) -> bytes:
    """The first bytes of an answer; what fails after its status does not change what the status said."""
    start = b""
    with suppress(httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        while len(start) < LONGEST_EXCERPT and (piece := next(body, b"")):
            start += piece
    return start[:LONGEST_EXCERPT]


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
