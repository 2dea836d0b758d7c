"""POSTs to addresses that the egress rules permit, for every channel that speaks HTTP."""

from __future__ import annotations

import datetime as dt
import functools
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Final

import httpcore
import httpx

from convex_common.errors import Invalid
from convex_common.tracing import current_span, current_traceparent
from convex_notifier.connections import Connections
from convex_notifier.domain import answer
from convex_notifier.domain.answer import LONGEST_EXCERPT, Answer
from convex_notifier.network import EgressRefused, Network, trusting

READ_TIMEOUT: Final = 10.0
KEPT_ALIVE_SECONDS: Final = 15.0
ALWAYS: Final = {"content-type": "application/json", "user-agent": "convex-alerts", "accept-encoding": "identity"}


class Http:
    """One POST at a time on pooled connections; no redirects, no proxies, no more than 4 KiB of the answer read."""

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

    def post(
        self, field: str, url: object, content: bytes, deadline: float, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """POST JSON to the address in the configuration's `field`; an answer in any case, in which no address is."""
        try:
            address = _address(field, url if isinstance(url, str) else "")
            with self._network.until(deadline):
                return self._post(address, {**ALWAYS, **(headers or {}), **_trace()}, content)
        except (Invalid, EgressRefused) as error:
            return answer.rejected(str(error))
        except (httpcore.TimeoutException, TimeoutError) as error:
            return answer.unavailable(f"it took too long: {_told(error)}")
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            return answer.unavailable(f"the connection failed: {_told(error)}")

    def close(self) -> None:
        """Close every connection."""
        self._connections.close()

    def _post(self, url: httpcore.URL, headers: Mapping[str, str], content: bytes) -> Answer:
        span = current_span()
        if span.is_recording():
            span.update_name("POST")
            span.set_attributes(_about(url))
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
            span.set_attribute("http.response.status_code", response.status)
            return answer.of_status(response.status, retry_after, _start(iter(response.iter_stream())), self._now())


def _about(url: httpcore.URL) -> dict[str, str | int]:
    """By OpenTelemetry's conventions for HTTP, but for the address: its path and query are secrets."""
    scheme = url.scheme.decode("latin-1")
    return {
        "http.request.method": "POST",
        "url.scheme": scheme,
        "server.address": url.host.decode("latin-1"),
        "server.port": url.port or (443 if scheme == "https" else 80),
    }


def _trace() -> dict[str, str]:
    traceparent = current_traceparent()
    return {"traceparent": traceparent} if traceparent else {}


@functools.lru_cache(maxsize=1000)
def _address(field: str, url: str) -> httpcore.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise Invalid(field, "is no address", cure="give the channel a new one") from None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise Invalid(field, "is no address", cure="start it with https:// and a host")
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
