"""What every answer tells a browser, and what pages of other origins may do."""

from __future__ import annotations

import httpx
import pytest

from tests.security.conftest import LISTED
from tests.support.gateways import GatewayProcess, gateway_process

pytestmark = pytest.mark.timeout(120)

EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
ANSWERS = [
    ("GET", "/", 200),
    ("GET", "/docs", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/alerts/1", 200),
    ("GET", "/docs/docs.js", 200),
    ("GET", "/dashboard/nothing.js", 404),
    ("GET", "/healthz", 200),
    ("GET", "/nothing", 404),
    ("GET", "/redoc", 404),
    ("GET", "/docs/oauth2-redirect", 404),
    ("PUT", "/", 405),
    ("GET", "/ws", 426),
    ("GET", "/api/v1/me", 401),
    ("POST", "/api/v1/triggers", 401),
    ("GET", "/auth/session", 200),
    ("POST", "/auth/session", 422),
    ("GET", "/auth/oidc/login", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
def test_every_answer_is_guarded(gateway: GatewayProcess, method: str, path: str, status: int) -> None:
    answer = httpx.request(method, gateway.url + path, timeout=20)
    assert answer.status_code == status, answer.text
    assert EVERYWHERE.items() <= dict(answer.headers).items()
    assert "geolocation=()" in answer.headers["permissions-policy"]
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy, "nothing comes from elsewhere"
    assert "strict-transport-security" not in answer.headers, "this is no HTTPS"
    assert "server" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers
    if path.startswith(("/api/", "/auth/")):
        assert answer.headers["cache-control"] == "no-store"


def test_over_https_browsers_are_told_to_stay_there(gateway: GatewayProcess) -> None:
    for path in ("/", "/healthz", "/api/v1/me", "/nothing"):
        answer = httpx.get(gateway.url + path, headers={"X-Forwarded-Proto": "https"}, timeout=20)
        assert answer.headers["strict-transport-security"] == "max-age=31536000", path


def test_an_untrusted_proxy_cannot_say_so() -> None:
    with gateway_process("postgresql://convex@127.0.0.1:1/none", FORWARDED_ALLOW_IPS="10.0.0.1") as gateway:
        answer = httpx.get(gateway.url + "/healthz", headers={"X-Forwarded-Proto": "https"}, timeout=20)
        assert "strict-transport-security" not in answer.headers


def preflight(
    gateway: GatewayProcess, path: str, origin: str, method: str = "POST", headers: str = ""
) -> httpx.Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = headers
    return httpx.options(gateway.url + path, headers=asked, timeout=20)


@pytest.mark.parametrize("path", ["/api/v1/rules", "/api/v1/triggers", "/auth/session"])
def test_a_listed_page_may_ask_before_anybody_signs_in(gateway: GatewayProcess, path: str) -> None:
    answer = preflight(gateway, path, LISTED, "PATCH", "authorization, content-type, idempotency-key, if-match")
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == LISTED
    assert "origin" in answer.headers["vary"].lower()
    assert "access-control-allow-credentials" not in answer.headers
    assert EVERYWHERE.items() <= dict(answer.headers).items()


REFUSED = {
    "another page": ("https://evil.example", "POST", ""),
    "another scheme": ("http://app.example.com", "POST", ""),
    "another port": ("https://app.example.com:8443", "POST", ""),
    "a longer name": ("https://app.example.com.evil.example", "POST", ""),
    "null": ("null", "POST", ""),
    "another method": (LISTED, "TRACE", ""),
    "another header": (LISTED, "POST", "x-csrf-token"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_listed_is_refused(gateway: GatewayProcess, case: str) -> None:
    origin, method, headers = REFUSED[case]
    answer = preflight(gateway, "/api/v1/rules", origin, method, headers)
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    if origin != LISTED:
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/v1/me"), ("POST", "/api/v1/triggers"), ("GET", "/nothing")])
def test_answers_are_for_listed_pages(gateway: GatewayProcess, method: str, path: str) -> None:
    for origin, told in ((LISTED, LISTED), ("https://evil.example", None)):
        answer = httpx.request(method, gateway.url + path, headers={"Origin": origin}, timeout=20)
        assert answer.headers.get("access-control-allow-origin") == told
        assert "origin" in answer.headers.get("vary", "").lower() or told is None
        assert "access-control-allow-credentials" not in answer.headers


def test_anybody_is_let_in_without_credentials_only() -> None:
    with gateway_process("postgresql://convex@127.0.0.1:1/none", CORS_ALLOWED_ORIGINS="*") as gateway:
        answer = httpx.get(
            gateway.url + "/api/v1/me", headers={"Origin": "https://any.example", "Cookie": "a=b"}, timeout=20
        )
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers


def test_without_a_list_there_is_no_preflight() -> None:
    with gateway_process("postgresql://convex@127.0.0.1:1/none") as gateway:
        answer = preflight(gateway, "/api/v1/rules", LISTED)
        assert answer.status_code == 405
        assert "access-control-allow-origin" not in answer.headers
