"""A browser for each file, and people who come with a profile of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.chromium import chromium
from tests.support.debian import Unavailable
from tests.support.installation import Workspace
from tests.support.visitors import Visitor, launched


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ended with its file, since nothing else can have an event loop until then. CI never skips it."""
    try:
        chromium()
    except Unavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    with launched() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Lets people in: `visit(workspace)` signs its owner in, `visit(workspace, role="viewer")` another member.

    `url` is another gateway's than the installation's own; what else is given is the browser context's.
    """
    visitors: list[Visitor] = []

    def come(workspace: Workspace, role: str | None = None, url: str | None = None, **options: Any) -> Visitor:
        token = workspace.token if role is None else workspace.stack.token(role, workspace=workspace.slug)
        visitors.append(Visitor(browser, url or workspace.stack.url, **options))
        return visitors[-1].sign_in(token)

    yield come
    for visitor in visitors:
        visitor.close()
