"""The pages: served with a policy that lets nothing else run, compressed before, and nothing beside them."""

from __future__ import annotations

import gzip
import re
from importlib import resources
from pathlib import Path
from typing import cast

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from convex_common.domain.alert import Event, Reason
from convex_gateway.context import Gateway
from convex_gateway.dashboard.routes import SECTIONS, _dashboard, routes
from tests.support.node import BUILT, ROOT, needs_dashboard

STATIC = resources.files("convex_gateway.dashboard") / "static"
DOCUMENTATION = {entry.name: entry.read_text() for entry in STATIC.iterdir() if entry.name != "absent.html"}
SCRIPTS = sorted(name for name in DOCUMENTATION if name.endswith(".js"))
ROUTER = ROOT / "services/gateway/dashboard/src/app/router.tsx"
TIMELINE = ROOT / "services/gateway/dashboard/src/alerts/reasons.ts"
PAGE = "<!doctype html><title>Convex Alerts</title>"
SCRIPT = "console.log(1)" * 100


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=routes(cast(Gateway, None))))


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "icon.svg").write_text("<svg/>")
    (tmp_path / "assets/index-abc.js").write_text(SCRIPT)
    (tmp_path / "assets/index-abc.js.gz").write_bytes(gzip.compress(SCRIPT.encode()))
    (tmp_path / "assets/index-abc.js.br").write_bytes(b"smaller")
    return tmp_path


@pytest.fixture
def dashboard(built: Path) -> TestClient:
    return TestClient(Starlette(routes=list(_dashboard(built, STATIC))))


@pytest.mark.parametrize("path", ["/", "/alerts/0199", *(f"/{name}" for name in SECTIONS)])
def test_every_address_of_the_dashboard_is_its_one_page(dashboard: TestClient, path: str) -> None:
    answer = dashboard.get(path)
    assert (answer.status_code, answer.text) == (200, PAGE)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"


def test_the_router_and_the_gateway_know_the_same_addresses() -> None:
    known = set(re.findall(r'path: "/(\w+)', ROUTER.read_text()))
    assert known == set(SECTIONS)


@pytest.mark.parametrize("words", [Reason, Event], ids=lambda words: words.__name__)
def test_the_timeline_has_words_for_everything_that_the_log_says(words: type[Reason | Event]) -> None:
    told = set(re.findall(r"^  (\w+): \"", TIMELINE.read_text(), re.MULTILINE))
    assert {str(word) for word in words} <= told


def test_what_has_a_digest_in_its_name_is_kept_for_good(dashboard: TestClient) -> None:
    assert "immutable" in dashboard.get("/dashboard/assets/index-abc.js").headers["cache-control"]
    assert dashboard.get("/dashboard/icon.svg").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip, deflate, br, zstd", "br"), ("gzip, deflate", "gzip"), ("gzip;q=1.0", "gzip"), ("identity", None)],
)
def test_a_browser_gets_the_smallest_that_it_takes(built: Path, accepted: str, encoding: str | None) -> None:
    app = Starlette(routes=list(_dashboard(built, STATIC)))
    with TestClient(app).stream(
        "GET", "/dashboard/assets/index-abc.js", headers={"Accept-Encoding": accepted}
    ) as answer:
        assert answer.headers.get("content-encoding") == encoding
        assert answer.headers["vary"] == "Accept-Encoding"
        sent = b"".join(answer.iter_raw())
    assert sent == {"br": b"smaller", "gzip": gzip.compress(SCRIPT.encode()), None: SCRIPT.encode()}[encoding] or (
        encoding == "gzip" and gzip.decompress(sent) == SCRIPT.encode()
    )


@needs_dashboard
def test_what_was_compressed_is_what_was_built() -> None:
    compressed = list(BUILT.rglob("*.gz"))
    assert compressed
    for path in compressed:
        assert gzip.decompress(path.read_bytes()) == path.with_suffix("").read_bytes(), path.name
        assert path.with_suffix(".br").is_file()


@needs_dashboard
def test_what_is_loaded_first_is_small() -> None:
    """Scripts that the page itself asks for; every page but the first comes when one goes there."""
    page = (BUILT / "index.html").read_text()
    first = re.findall(r'(?:src|href)="/dashboard/(assets/[^"]+\.js)"', page)
    assert first
    compressed = [(BUILT / f"{name}.gz", BUILT / name) for name in first]  # the smallest stay as they are
    assert sum((gz if gz.is_file() else raw).stat().st_size for gz, raw in compressed) <= 200 * 1024


def test_without_a_build_it_says_how_to_make_one(tmp_path: Path) -> None:
    client = TestClient(Starlette(routes=list(_dashboard(tmp_path / "built", STATIC))))
    for path in ("/", "/rules"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "make web" in answer.text


def test_every_file_that_the_description_asks_for_is_served(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    asked = set(re.findall(r'(?:src|href)="(/docs/[^"]+)"', page.text))
    for name in SCRIPTS:
        asked |= {f"/docs/{other}" for other in re.findall(r'from "\./([^"]+)"', DOCUMENTATION[name])}
    assert {f"/docs/{name}" for name in DOCUMENTATION} - {"/docs/docs.html"} == asked
    for path in asked:
        assert client.get(path).status_code == 200, path


def test_policy(client: TestClient) -> None:
    for path in ("/", "/rules/1", "/docs", "/docs/docs.js", "/docs/docs.css"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy


def test_unchanged_files_are_not_sent_again(client: TestClient) -> None:
    for path in ("/", "/docs/docs.js"):
        first = client.get(path)
        again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/dashboard/",
        "/dashboard/nope.js",
        "/dashboard/index.html",
        "/dashboard/assets/index-abc.js.br",
        "/docs/docs.html",
        "/docs/absent.html",
        "/docs/../routes.py",
        "/dashboard/../routes.py",
        "/dashboard/%2e%2e/routes.py",
        "/rulesets",
        "/elsewhere",
    ],
)
def test_nothing_else_is_served(client: TestClient, dashboard: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404
    assert dashboard.get(path).status_code == 404


@pytest.mark.parametrize("name", SCRIPTS)
def test_text_never_becomes_markup(name: str) -> None:
    banned = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|DOMParser"
    assert not re.search(banned, DOCUMENTATION[name])


def test_nothing_is_inline_or_from_elsewhere() -> None:
    for page in (DOCUMENTATION["docs.html"], (STATIC / "absent.html").read_text(), _index()):
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page)
    for name, text in DOCUMENTATION.items():
        assert not re.search(r"""(?:src|href|url|import|from|fetch)\W{1,3}https?:""", text), name
    assert "@import" not in DOCUMENTATION["docs.css"]


def test_every_element_that_scripts_ask_for_is_there() -> None:
    ids = set(re.findall(r'id="([^"]+)"', DOCUMENTATION["docs.html"]))
    for name in SCRIPTS:
        assert set(re.findall(r'byId\("([^"]+)"\)', DOCUMENTATION[name])) <= ids, name


def _index() -> str:
    return (ROUTER.parents[2] / "index.html").read_text()
