"""Makes `tests.support` importable and its fixtures known; each file there holds the fixtures of one thing."""

import functools
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.ports import keep_apart

keep_apart(os.environ)

pytest_plugins = [
    "tests.support.homes",
    "tests.support.installation",
    "tests.support.postgres",
    "tests.support.receiver",
    "tests.support.valkey",
]

settings.register_profile("convex", deadline=None)  # a busy machine is no failure
settings.load_profile("convex")

# httpx reads every authority's certificate for each client, which takes ten times as long as most of our requests.
transports = httpx._transports.default
transports.create_ssl_context = functools.cache(transports.create_ssl_context)  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Services' own `main` logs to the stderr of its test, which is closed after it."""
    root = logging.getLogger()
    level = root.level
    yield
    root.handlers[:] = [handler for handler in root.handlers if type(handler) is not logging.StreamHandler]
    root.setLevel(level)
