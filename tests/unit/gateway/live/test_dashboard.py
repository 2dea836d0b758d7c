"""The live page: served with a policy that lets nothing else run, and written so that it needs nothing else."""

from __future__ import annotations

import re
from importlib import resources
from typing import cast

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from convex_gateway.context import Gateway
from convex_gateway.dashboard.routes import routes

STATIC = resources.files("convex_gateway.dashboard") / "static"
FILES = {entry.name: entry.read_text() for entry in STATIC.iterdir()}
SCRIPTS = sorted(name for name in FILES if name.endswith(".js"))


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=routes(cast(Gateway, None))))


def test_every_file_that_the_page_asks_for_is_served(client: TestClient) -> None:
    asked = set()
    for path in ("/", "/docs"):
        page = client.get(path)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        asked |= set(re.findall(r'(?:src|href)="(/dashboard/[^"]+)"', page.text))
    for name in SCRIPTS:
        asked |= {f"/dashboard/{other}" for other in re.findall(r'from "\./([^"]+)"', FILES[name])}
    assert {f"/dashboard/{name}" for name in FILES} - {"/dashboard/index.html", "/dashboard/docs.html"} == asked
    for path in asked:
        assert client.get(path).status_code == 200, path


def test_policy(client: TestClient) -> None:
    for path in ("/", "/docs", "/dashboard/app.js", "/dashboard/style.css"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]


def test_unchanged_files_are_not_sent_again(client: TestClient) -> None:
    first = client.get("/dashboard/app.js")
    again = client.get("/dashboard/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/dashboard/",
        "/dashboard/nope.js",
        "/dashboard/docs.html",
        "/dashboard/../routes.py",
        "/dashboard/%2e%2e/routes.py",
    ],
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("name", SCRIPTS)
def test_text_never_becomes_markup(name: str) -> None:
    banned = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|DOMParser"
    assert not re.search(banned, FILES[name])


def test_nothing_is_inline_or_from_elsewhere() -> None:
    page = FILES["index.html"] + FILES["docs.html"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page)
    for name, text in FILES.items():
        assert not re.search(r"""(?:src|href|url|import|from|fetch)\W{1,3}https?:""", text), name
    assert "@import" not in FILES["style.css"]


def test_every_element_that_scripts_ask_for_is_there() -> None:
    ids = set(re.findall(r'id="([^"]+)"', FILES["index.html"] + FILES["docs.html"]))
    for name in SCRIPTS:
        assert set(re.findall(r'byId\("([^"]+)"\)', FILES[name])) <= ids, name
