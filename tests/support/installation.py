"""The whole product for tests: one installation a session, and a workspace of its own for every test."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest

from convex_dev.stack import Stack

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


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with Stack(processors=2) as running:
        yield running


@pytest.fixture
def workspace(stack: Stack) -> Iterator[Workspace]:
    made = workspace_of(stack)
    yield made
    made.client.close()


@pytest.fixture
def new_stack() -> Iterator[Callable[..., Stack]]:
    """Installations of a test's own, ended with it."""
    started: list[Stack] = []

    def start(**options: Any) -> Stack:
        made = Stack(**options)
        started.append(made)
        return made.start()

    yield start
    for one in started:
        one.close()
