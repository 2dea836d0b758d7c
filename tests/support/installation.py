"""The whole product for tests: one installation a session, and a workspace of its own for every test."""

from __future__ import annotations

import itertools
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from convex_dev.stack import Stack
from tests.support.homes import Homes

_numbers = itertools.count(1)


@dataclass
class Workspace:
    """A workspace of a running installation and a client that acts for its owner."""

    stack: Stack
    slug: str
    client: httpx.Client

    @property
    def token(self) -> str:
        return self.client.headers["authorization"].removeprefix("Bearer ")

    def post(self, path: str, body: Any, status: int) -> Any:
        """POST and its JSON; the answer's text where the status is another."""
        answer = self.client.post(path, json=body)
        assert answer.status_code == status, f"{answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def get(self, path: str, **query: Any) -> Any:
        """GET and its JSON."""
        answer = self.client.get(path, params=query)
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
        return answer.json()

    def framework(self, name: str = "shop") -> str:
        """A framework's id."""
        return str(self.post("/api/v1/frameworks", {"name": name}, 201)["id"])

    def rule(self, framework_id: str, **fields: Any) -> str:
        """A rule's id: `latency` above 100, unless told otherwise."""
        rule = {
            "framework_id": framework_id,
            "name": "slow",
            "alert_type": "threshold",
            "metric": "latency",
            "condition": "above",
            "threshold_value": 100,
            "severity": "warning",
            **fields,
        }
        return str(self.post("/api/v1/rules", rule, 201)["id"])

    def webhook(self, url: str, **config: Any) -> str:
        """A webhook channel's id."""
        body = {"kind": "webhook", "name": f"hook {uuid.uuid4().hex[:6]}", "config": {"url": url, **config}}
        return str(self.post("/api/v1/channels", body, 201)["id"])

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Rows over all workspaces, read by the owner."""
        with psycopg.connect(self.stack.owner_url, row_factory=psycopg.rows.dict_row) as owner:
            return owner.execute(query.encode(), values).fetchall()


def workspace_of(stack: Stack, slug: str | None = None) -> Workspace:
    """A new workspace and its owner's client."""
    name = slug or f"w{next(_numbers)}-{uuid.uuid4().hex[:6]}"
    token = stack.token(workspace=name)
    headers = {"authorization": f"Bearer {token}"}
    return Workspace(stack, name, httpx.Client(base_url=stack.url, headers=headers, timeout=10.0))


@contextmanager
def installation(homes: Homes, **options: Any) -> Iterator[Stack]:
    """One of a prepared home, for as long as it is wanted."""
    home = homes.new()
    made = Stack(home, **options)
    try:
        yield made.start()
    finally:
        made.close()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def stack(homes: Homes) -> Iterator[Stack]:
    with installation(homes, processors=2) as running:
        yield running


@pytest.fixture
def workspace(stack: Stack) -> Iterator[Workspace]:
    made = workspace_of(stack)
    yield made
    made.client.close()


@pytest.fixture
def new_stack(homes: Homes) -> Iterator[Callable[..., Stack]]:
    """Installations of a test's own, ended with it; in a home of the test's own where it names one."""
    with ExitStack() as running:

        def start(home: Path | None = None, **options: Any) -> Stack:
            if home is None:
                return running.enter_context(installation(homes, **options))
            return running.enter_context(Stack(home, **options))

        yield start
