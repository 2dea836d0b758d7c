"""The fixtures of these tests."""

from __future__ import annotations

import pytest

from tests.support.browser import Browser
from tests.support.rest import Api, api, elsewhere

__all__ = ["api", "elsewhere"]


@pytest.fixture
def browser(api: Api) -> Browser:
    return Browser(api.run, api.transport)
