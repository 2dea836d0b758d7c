"""The status server answers probes whatever happens, and metrics where there are any."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection

import pytest
from prometheus_client import CollectorRegistry, Counter

from convex_common.errors import SettingsError
from convex_common.health import Probe, StatusServer


@contextmanager
def serving(
    registry: CollectorRegistry | None = None, ready: Probe = lambda: True, live: Probe = lambda: True
) -> Iterator[StatusServer]:
    server = StatusServer(0, registry, ready, live, host="127.0.0.1")
    server.start()
    try:
        yield server
    finally:
        server.stop()


def get(server: StatusServer, path: str, accept: str = "") -> tuple[int, str, bytes]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("GET", path, headers={"Accept": accept})
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read()
    finally:
        connection.close()


def broken() -> bool:
    raise RuntimeError("the probe itself is broken")


def test_probes_say_what_holds() -> None:
    with serving(ready=lambda: False) as server:
        assert get(server, "/healthz")[0] == 200
        assert get(server, "/readyz?verbose")[0] == 503
        assert get(server, "/metrics")[0] == 404
        assert get(server, "/")[0] == 404


def test_a_broken_probe_fails_and_the_server_lives() -> None:
    with serving(ready=broken) as server:
        assert get(server, "/readyz")[0] == 503
        assert get(server, "/healthz")[0] == 200


def test_metrics_in_the_format_that_is_asked_for() -> None:
    registry = CollectorRegistry()
    Counter("things_total", "Things.", registry=registry).inc()
    with serving(registry) as server:
        status, content_type, body = get(server, "/metrics")
        assert (status, b"things_total 1.0" in body) == (200, True)
        assert content_type.startswith("text/plain")
        openmetrics = get(server, "/metrics", "application/openmetrics-text; version=1.0.0")
        assert openmetrics[1].startswith("application/openmetrics-text")
        assert openmetrics[2].endswith(b"# EOF\n")


def test_a_taken_port_is_a_setting_to_change() -> None:
    with serving() as server, pytest.raises(SettingsError, match="PROMETHEUS_PORT: cannot listen on"):
        StatusServer(server.port, None, lambda: True, lambda: True, host="127.0.0.1").start()


def test_stopping_twice_is_harmless() -> None:
    with serving() as server:
        server.stop()
