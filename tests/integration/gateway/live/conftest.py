"""Whose WebSocket protocol the gateways of a test speak: ours, and where it plays a part uvicorn's own as well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.live import WS_SERVER


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Those marked `over_both` run over both."""
    both = metafunc.definition.get_closest_marker("over_both") is not None
    metafunc.parametrize("ws_server", ["lean", "uvicorn"] if both else ["lean"], indirect=True)


@pytest.fixture(autouse=True)
def ws_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The `WS_SERVER` of this test's gateways."""
    token = WS_SERVER.set(request.param)
    yield request.param
    WS_SERVER.reset(token)
