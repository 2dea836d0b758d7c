import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from convex_dev import services, tokens, up
from convex_dev.errors import Refused
from convex_dev.home import Home
from convex_dev.keys import load_or_make
from convex_dev.ports import Ports
from convex_dev.up import Options


@pytest.fixture
def home() -> Iterator[Home]:
    """One that the database's own user can pass through, as it cannot through pytest's folders."""
    path = Path(tempfile.mkdtemp(prefix="convex-dev-test-"))
    path.chmod(0o711)
    made = Home(path)
    made.prepare()
    yield made
    shutil.rmtree(path)


def test_services_get_ports_of_their_own_and_only_some_the_owner(home: Home) -> None:
    specs = services.specs({"A": "b"}, "postgresql://owner", Ports(home), 8080, processors=3)
    assert [spec.name for spec in specs] == [
        *("gateway", "processor", "processor-2", "processor-3", "notifier", "analytics", "scheduler")
    ]
    metrics = [spec.env["PROMETHEUS_PORT"] for spec in specs]
    assert len(set(metrics)) == len(specs)
    assert {spec.name for spec in specs if "DATABASE_OWNER_URL" in spec.env} == {"analytics", "scheduler"}
    assert specs[0].env["GATEWAY_PORT"] == "8080"
    assert specs[0].probe == "http://127.0.0.1:8080/readyz"
    assert specs[1].probe == f"http://127.0.0.1:{metrics[1]}/readyz"


def test_embedded_stores_are_the_default(home: Home) -> None:
    stores = up.find_stores(home, load_or_make(home), Ports(home), {})
    assert sorted(spec.name for spec in stores.specs) == ["postgres", "valkey"]
    assert stores.settings["REDIS_URL"].endswith("/0")
    assert stores.settings["CACHE_REDIS_URL"].endswith("/1")
    assert stores.settings["DATABASE_URL"].startswith("postgresql://convex:")
    assert stores.owner_url.startswith("postgresql://postgres:")


@pytest.mark.parametrize(
    ("given", "redis", "cache"),
    [
        ({"REDIS_URL": "redis://r:1/0"}, "redis://r:1/0", "redis://r:1/0"),
        ({"REDIS_URL": "redis://r:1/0", "CACHE_REDIS_URL": "redis://c:1/0"}, "redis://r:1/0", "redis://c:1/0"),
        ({"REDIS_HOST": "r"}, "redis://r:6379/0", "redis://r:6379/0"),
        (
            {"REDIS_HOST": "r", "REDIS_PORT": "7", "REDIS_PASSWORD": "a/b"},
            "redis://:a%2Fb@r:7/0",
            "redis://:a%2Fb@r:7/0",
        ),
    ],
    ids=["url", "with a cache", "host", "host, port and password"],
)
def test_given_stores_replace_embedded_ones(home: Home, given: dict[str, str], redis: str, cache: str) -> None:
    database = {"DATABASE_URL": "postgresql+psycopg://service@d/x", "DATABASE_OWNER_URL": "postgresql://owner@d/x"}
    stores = up.find_stores(home, load_or_make(home), Ports(home), {**given, **database})
    assert stores.specs == ()
    assert dict(stores.settings) == {
        "REDIS_URL": redis,
        "CACHE_REDIS_URL": cache,
        "DATABASE_URL": "postgresql://service@d/x",
    }
    assert stores.owner_url == "postgresql://owner@d/x"
    assert [process.name for process in stores.external] == ["redis", "postgres"]


def test_an_empty_variable_is_an_absent_one(home: Home) -> None:
    stores = up.find_stores(home, load_or_make(home), Ports(home), {"REDIS_URL": "", "DATABASE_URL": ""})
    assert len(stores.specs) == 2


def test_the_environment_reaches_the_services_and_given_secrets_win(home: Home) -> None:
    given = {"SMTP_HOST": "mail", "JWT_SECRET": "s" * 32, "DATABASE_OWNER_URL": "postgresql://left/over"}
    plan = up.compose(home, Options(home.path, port=0), given, services.specs)
    gateway = plan.services[0]
    assert gateway.env["SMTP_HOST"] == "mail"
    assert gateway.env["JWT_SECRET"] == "s" * 32
    assert gateway.env["EGRESS_ALLOW"] == "127.0.0.0/8"
    assert gateway.env["METRICS_HOST"] == "127.0.0.1"
    assert "DATABASE_OWNER_URL" not in gateway.env
    assert [spec.name for spec in plan.extras] == ["demo"]
    assert "s" * 32 not in repr(plan)


def test_without_the_demo_there_is_none(home: Home) -> None:
    assert up.compose(home, Options(home.path, port=0, demo=False), {}, services.specs).extras == ()


def test_a_token_says_who_where_and_until_when() -> None:
    environment = {"JWT_SECRET": "s" * 32, "JWT_ISSUER": "convex", "JWT_AUDIENCE": "convex"}
    token = tokens.mint(environment, workspace_id="w", user="u", role="viewer", ttl=60, now=2_000_000_000)
    claims = jwt.decode(
        token, "s" * 32, algorithms=["HS256"], audience="convex", issuer="convex", options={"verify_iat": False}
    )
    assert claims == {
        "sub": "u",
        "workspace_id": "w",
        "role": "viewer",
        "iat": 2_000_000_000,
        "exp": 2_000_000_060,
        "iss": "convex",
        "aud": "convex",
    }


def test_an_unknown_role_is_refused() -> None:
    from convex_dev.state import State

    with pytest.raises(Refused, match="viewer, responder"):
        tokens.issue(State(1, 1.0, True, "", "", {}, ()), role="king")
