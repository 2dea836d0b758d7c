"""The status server answers probes whatever happens, and metrics where there are any."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection

import pytest
from prometheus_client import CollectorRegistry, Counter

from convex_common.errors import SettingsError, StoreUnavailable
from convex_common.health import Page, Probe, StatusServer


@contextmanager
def serving(
    registry: CollectorRegistry | None = None,
    ready: Probe = lambda: True,
    live: Probe = lambda: True,
    pages: Mapping[str, Page] | None = None,
) -> Iterator[StatusServer]:
    server = StatusServer(0, registry, ready, live, host="127.0.0.1", pages=pages)
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


def test_pages_tell_plain_values_and_times() -> None:
    at = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
    with serving(pages={"/jobs": lambda: {"items": [{"name": "some", "next_run": at}]}}) as server:
        told = get(server, "/jobs")
    assert told == (200, "application/json", b'{"items":[{"name":"some","next_run":"2026-03-10T12:00:00Z"}]}')


@pytest.mark.parametrize("error", [StoreUnavailable("PostgreSQL is away"), RuntimeError("a secret")])
def test_a_page_that_cannot_be_told_is_a_503_without_reasons(error: Exception) -> None:
    def fails() -> None:
        raise error

    with serving(pages={"/jobs": fails}) as server:
        status, _, body = get(server, "/jobs")
        assert (status, body) == (503, b"not now\n")
        assert get(server, "/healthz")[0] == 200
