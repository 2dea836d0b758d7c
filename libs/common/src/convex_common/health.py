"""A worker's small HTTP server: /healthz, /readyz, /metrics, and what else a service has to tell."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from convex_common.errors import SettingsError, StoreUnavailable

log = logging.getLogger(__name__)

Probe = Callable[[], bool]
Page = Callable[[], Any]
"""Gives what a page tells, as plain values and times. What it raises is a 503, and said in the log."""

Answer = tuple[int, str, bytes]

_PLAIN: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json"


class StatusServer:
    """Answers the orchestrator's probes and Prometheus on threads of its own, until stopped.

    `/metrics` is absent (404) without a registry; the probes are always there. Port 0 takes a free one, see `port`.
    """

    def __init__(
        self,
        port: int,
        metrics_registry: CollectorRegistry | None,
        ready: Probe,
        live: Probe,
        *,
        host: str = "0.0.0.0",  # noqa: S104 - probes come from outside the pod
        pages: Mapping[str, Page] | None = None,
    ) -> None:
        self._pages = pages or {}
        self._address = (host, port)
        self._registry = metrics_registry
        self._probes = {"/healthz": live, "/readyz": ready}
        self._server: ThreadingHTTPServer | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1]) if self._server else self._address[1]

    def start(self) -> None:
        """Listen; SettingsError if the port is taken."""
        try:
            self._server = _Server(self._address, _handler(self.answer))
        except OSError as error:
            host, port = self._address
            raise SettingsError(
                f"PROMETHEUS_PORT: cannot listen on {host}:{port} ({error.strerror})", cure="choose a free port"
            ) from None
        threading.Thread(target=self._server.serve_forever, name="status", daemon=True).start()

    def stop(self) -> None:
        """Stop listening; harmless when it never started."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, path: str, accept: str) -> Answer:
        """Status, content type and body for a path."""
        if probe := self._probes.get(path):
            return (200, _PLAIN, b"ok\n") if _holds(path, probe) else (503, _PLAIN, b"not ok\n")
        if path == "/metrics" and self._registry is not None:
            encode, content_type = choose_encoder(accept)
            return 200, content_type, encode(self._registry)
        if page := self._pages.get(path):
            return _told(path, page)
        return 404, _PLAIN, b"not found\n"


def _holds(path: str, probe: Probe) -> bool:
    """A probe that raises is a probe that fails; the server answers in any case."""
    try:
        return probe()
    except Exception:
        log.exception("probe failed", extra={"probe": path})
        return False


def _told(path: str, page: Page) -> Answer:
    try:
        return 200, _JSON, msgspec.json.encode(page())
    except StoreUnavailable as error:
        log.warning("%s waits: %s", path, error)
    except Exception:
        log.exception("a page failed", extra={"page": path})
    return 503, _PLAIN, b"not now\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


def _handler(answer: Callable[[str, str], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5  # seconds that a silent client may hold its thread

        def do_GET(self) -> None:
            status, content_type, body = answer(self.path.partition("?")[0], self.headers.get("Accept", ""))
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            log.debug(format, *args)

    return Handler
