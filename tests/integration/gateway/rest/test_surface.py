"""What holds for every operation: credentials, roles, problem details, limits, the description of it all."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from convex_common.domain.role import RANKS, Role
from convex_common.feed import LiveBroadcast
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.bootstrap import ensure_member
from convex_common.postgres.database import Database, Limits
from convex_gateway.operations import ROLE
from tests.support.postgres import Store
from tests.support.rest import Api, Remembered, gateway_of, token_of

pytestmark = pytest.mark.timeout(120)

ID = str(uuid.uuid4())
NAME = "alert"
NEEDED = {
    ("GET", "/frameworks"): "viewer",
    ("POST", "/frameworks"): "editor",
    ("GET", f"/frameworks/{ID}"): "viewer",
    ("PATCH", f"/frameworks/{ID}"): "editor",
    ("DELETE", f"/frameworks/{ID}"): "editor",
    ("GET", "/rules"): "viewer",
    ("POST", "/rules"): "editor",
    ("GET", f"/rules/{ID}"): "viewer",
    ("PATCH", f"/rules/{ID}"): "editor",
    ("DELETE", f"/rules/{ID}"): "editor",
    ("GET", "/channels"): "viewer",
    ("POST", "/channels"): "editor",
    ("GET", f"/channels/{ID}"): "viewer",
    ("PATCH", f"/channels/{ID}"): "editor",
    ("DELETE", f"/channels/{ID}"): "editor",
    ("POST", f"/channels/{ID}/test"): "editor",
    ("GET", "/alerts"): "viewer",
    ("GET", f"/alerts/{ID}"): "viewer",
    ("GET", f"/alerts/{ID}/timeline"): "viewer",
    ("GET", "/analytics/summary"): "viewer",
    ("GET", "/analytics/statistics"): "viewer",
    ("GET", "/analytics/timeseries"): "viewer",
    ("GET", "/analytics/export"): "viewer",
    ("GET", "/analytics/anomalies"): "viewer",
    ("GET", "/analytics/patterns"): "viewer",
    ("GET", "/analytics/patterns/{pattern_id}"): "viewer",
    ("GET", "/analytics/patterns/{pattern_id}/preview"): "viewer",
    ("POST", "/analytics/patterns/{pattern_id}/dismiss"): "responder",
    ("POST", "/analytics/patterns/{pattern_id}/apply"): "editor",
    ("POST", "/rules/backtest"): "viewer",
    ("POST", f"/rules/{ID}/backtest"): "viewer",
    ("GET", "/analytics/predictions"): "viewer",
    ("GET", "/feed"): "viewer",
    ("GET", "/observations"): "viewer",
    ("GET", "/observations/metrics"): "viewer",
    ("POST", "/alerts/bulk"): "responder",
    ("GET", "/silences"): "viewer",
    ("GET", f"/silences/{ID}"): "viewer",
    ("POST", "/silences"): "responder",
    ("POST", "/silences/preview"): "responder",
    ("DELETE", f"/silences/{ID}"): "responder",
    ("POST", f"/alerts/{ID}/acknowledge"): "responder",
    ("POST", f"/alerts/{ID}/resolve"): "responder",
    ("POST", f"/alerts/{ID}/snooze"): "responder",
    ("POST", f"/alerts/{ID}/assign"): "responder",
    ("POST", f"/alerts/{ID}/comment"): "responder",
    ("POST", f"/alerts/{ID}/verdict"): "responder",
    ("GET", f"/alerts/{ID}/verdicts"): "viewer",
    ("GET", "/deliveries"): "viewer",
    ("GET", f"/deliveries/{ID}"): "viewer",
    ("POST", f"/deliveries/{ID}/replay"): "editor",
    ("GET", "/notifications"): "viewer",
    ("POST", f"/notifications/{ID}/read"): "viewer",
    ("GET", "/me"): "viewer",
    ("POST", "/broadcast"): "editor",
    ("GET", "/queues"): "viewer",
    ("GET", f"/queues/{NAME}/quarantine"): "editor",
    ("POST", f"/queues/{NAME}/quarantine/replay"): "editor",
    ("POST", f"/queues/{NAME}/quarantine/drop"): "admin",
    ("POST", f"/queues/{NAME}/quarantine/{ID}/replay"): "editor",
    ("POST", f"/queues/{NAME}/quarantine/{ID}/drop"): "admin",
    **{
        ("GET", f"/api/metrics/{name}"): "viewer"
        for name in ("health", "alerts", "cache", "queue", "websocket", "prometheus")
    },
    ("GET", "/audit"): "admin",
    ("GET", "/workspace"): "viewer",
    ("PATCH", "/workspace"): "admin",
    ("GET", "/assignees"): "responder",
    ("GET", "/members"): "admin",
    ("POST", "/members"): "admin",
    ("GET", f"/members/{ID}"): "admin",
    ("PATCH", f"/members/{ID}"): "admin",
    ("DELETE", f"/members/{ID}"): "admin",
    ("GET", "/api-keys"): "admin",
    ("POST", "/api-keys"): "admin",
    ("GET", f"/api-keys/{ID}"): "admin",
    ("PATCH", f"/api-keys/{ID}"): "admin",
    ("DELETE", f"/api-keys/{ID}"): "admin",
    ("GET", "/jobs"): "admin",
    ("GET", f"/jobs/{ID}"): "admin",
    ("POST", f"/jobs/{ID}/run"): "owner",
    ("POST", f"/jobs/{ID}/suspend"): "owner",
    ("POST", f"/jobs/{ID}/resume"): "owner",
}


def test_every_operation_takes_its_role_before_it_looks_at_anything(api: Api) -> None:
    for (method, path), needed in NEEDED.items():
        body: dict[str, Any] = {"content": b"{broken"} if method in ("POST", "PATCH") else {}
        for role in ("viewer", "responder", "editor"):
            answer = api.call(method, path, role=role, **body)
            allowed = Role(role).allows(Role(needed))
            assert (answer.status_code == 403) is not allowed, (method, path, role, answer.text)
        assert api.call(method, path, token="none", **body).status_code == 401, (method, path)


def test_the_table_of_roles_is_complete_and_the_description_agrees(api: Api) -> None:
    described = api.get("/openapi.json").json()["paths"]
    told = {
        (method.upper(), path.removeprefix("/api/v1")): operation[ROLE]
        for path, item in described.items()
        for method, operation in item.items()
        if path.startswith("/api/") and ROLE in operation
    }
    assert {(method, _template(path)): role for (method, path), role in NEEDED.items()} == {
        (method, _template(path)): role for (method, path), role in told.items()
    }


def _template(path: str) -> str:
    return "/".join("{}" if part in (ID, NAME) or part.startswith("{") else part for part in path.split("/"))


def test_every_operation_describes_its_errors_as_problems(api: Api) -> None:
    document = api.get("/openapi.json").json()
    identifiers = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            identifiers.append(operation["operationId"])
            if ROLE not in operation:
                continue
            responses = operation["responses"]
            assert {"401", "403", "429", "500", "503"} <= responses.keys(), (method, path)
            assert ("requestBody" in operation) is ({"400", "413", "415"} <= responses.keys()), (method, path)
            places = {parameter["in"] for parameter in operation.get("parameters", ())}
            takes_fields = "requestBody" in operation or not places <= {"path"}
            assert "422" in responses or not takes_fields, (method, path)
            for status, response in responses.items():
                assert response["description"]
                if int(status) >= 400:
                    schema = response["content"]["application/problem+json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/Problem"}, (method, path, status)
                elif status != "204" and response["content"].keys() not in ({"text/plain"}, {"text/csv"}):
                    assert "$ref" in response["content"]["application/json"]["schema"], (method, path)
            assert operation["security"] == [{"bearer": []}]
    assert len(identifiers) == len(set(identifiers))
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_bounds_are_described_and_what_cannot_be_had_yet_is_not(api: Api) -> None:
    schemas = api.get("/openapi.json").json()["components"]["schemas"]
    for draft in ("RuleDraft", "RulePatch"):
        had = ["anomaly", "forecast", "milestone", "performance", "threshold"]
        assert schemas[draft]["properties"]["alert_type"]["enum"] == had
        assert schemas[draft]["properties"]["for_seconds"]["maximum"] == 86_400
    for draft in ("ChannelDraft", "ChannelPatch"):
        assert schemas[draft]["properties"]["kind"]["enum"] == ["email", "in_app", "slack", "webhook"]


def test_the_lower_of_the_tokens_and_the_members_role_counts(api: Api, store: Store) -> None:
    assert api.get("/me", token=token_of(api.workspace_id, "viewer", "owner")).json()["role"] == "viewer"
    assert api.get("/me", token=token_of(api.workspace_id, "owner", "viewer")).json()["role"] == "viewer"
    me = api.get("/me", token=token_of(api.workspace_id, "owner", "owner", operator=True)).json()
    assert (me["role"], me["operator"], me["user_id"]) == ("owner", True, "owner")
    assert me["workspace"] == {"id": str(api.workspace_id), "slug": "test", "name": "Test"}
    ensure_member(store.owner_url, store.workspace_id, "new", "admin")
    assert api.get("/me", token=token_of(api.workspace_id, "new", "admin")).json()["role"] == "admin"


def test_who_is_no_member_is_not_let_in(api: Api, elsewhere: uuid.UUID) -> None:
    for workspace_id, user in ((api.workspace_id, "stranger"), (uuid.uuid4(), "owner"), (elsewhere, "viewer")):
        answer = api.get("/me", token=token_of(workspace_id, user, "owner"))
        assert answer.status_code == 401
        assert "no member" in answer.json()["detail"]
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_refusal_never_repeats_the_token(api: Api) -> None:
    token = token_of(api.workspace_id, "owner", "owner", exp=1)
    answer = api.get("/me", token=token)
    assert (answer.status_code, answer.json()["detail"]) == (401, "The token has expired; sign in again.")
    assert token not in answer.text
    assert api.anonymous("/api/v1/me").status_code == 401
    assert api.anonymous("/api/v1/me", Authorization="Basic abc").status_code == 401


ABSENT = [
    ("POST", f"/alerts/{ID}/escalate", 404),
    ("GET", "/frameworks/", 404),
    ("GET", "/frameworks/1", 404),
    ("GET", f"/frameworks/{ID}x", 404),
    ("PUT", "/frameworks", 405),
    ("DELETE", "/alerts", 405),
]


def test_what_is_not_there_is_a_problem_too(api: Api) -> None:
    for method, path, status in ABSENT:
        answer = api.call(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), path
        body = answer.json()
        assert body.keys() == {"type", "title", "status", "detail", "errors"}
        assert body["status"] == status


def test_a_refused_method_is_told_all_that_the_address_takes(api: Api) -> None:
    for path, methods in (("/frameworks", "GET, POST"), (f"/rules/{ID}", "DELETE, GET, PATCH"), ("/me", "GET")):
        answer = api.call("OPTIONS", path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "DELETE"])
def test_a_word_that_is_an_address_is_not_taken_for_an_id(api: Api, method: str) -> None:
    for path in ("/alerts/bulk", "/silences/preview", "/rules/backtest"):
        for headers in ({}, {"Idempotency-Key": f"word-{method}"}):
            answer = api.call(method, path, headers=headers)
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST"), path


def test_other_media_types_are_refused(api: Api) -> None:
    def send(media_type: str) -> int:
        headers = {"Content-Type": media_type} if media_type else {}
        return api.call("POST", "/frameworks", content=b'{"name": "x"}', headers=headers).status_code

    assert send("application/x-www-form-urlencoded") == 415
    assert send("text/plain") == 415
    assert send("application/json; charset=utf-8") == 201
    assert send("application/vnd.convex+json") == 409, "read, and the name is taken"
    assert send("") == 409


def test_bodies_beyond_the_limit_are_refused(api: Api) -> None:
    big = b'{"name": "' + b"x" * (1024 * 1024) + b'"}'

    async def pieces() -> Any:
        for start in range(0, len(big), 65_536):
            yield big[start : start + 65_536]

    for content in (big, pieces()):
        answer = api.call("POST", "/frameworks", content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    fits = b'{"name": "x", "description": "' + b"x" * 1_000_000 + b'"}'
    assert api.call("POST", "/frameworks", content=fits).status_code == 422, "read, and too long"


def test_a_failure_tells_its_trace_and_nothing_else(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.gateway, "ids", None)
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = api.post("/frameworks", {"name": "x"}, headers={"traceparent": traceparent})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["instance"].endswith("0af7651916cd43dd8448eb211c80319c")
    assert "NoneType" not in answer.text


def test_answers_carry_what_browsers_heed(api: Api) -> None:
    answer = api.get("/me")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


def test_without_the_database_it_says_when_to_come_back(store: Store, api: Api) -> None:
    limits = Limits(connect=1, checkout=1)
    nowhere = "postgresql://convex@127.0.0.1:1/none"
    gateway = gateway_of(AsyncDatabase(nowhere, "tests", limits=limits), Database(nowhere, "t"), Remembered())
    gateway.serving = True
    lonely = Api(store, gateway, api.database, Remembered())
    try:
        answer = lonely.get("/frameworks")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert "127.0.0.1" not in answer.text
        assert lonely.get("/readyz").status_code == 200
        assert lonely.get("/healthz").status_code == 200
    finally:
        lonely.close()


def test_readiness_follows_start_and_stop(api: Api) -> None:
    assert api.anonymous("/readyz").status_code == 503
    api.gateway.serving = True
    assert api.anonymous("/readyz").status_code == 200


def test_broadcasts_reach_one_audience(api: Api, elsewhere: uuid.UUID) -> None:
    framework_id = api.framework()
    foreign = api.framework(token=token_of(elsewhere, "editor", "editor"))
    for body in (
        {"message": "hi"},
        {"message": {"a": 1}, "framework_id": framework_id},
        {"message": [], "client_id": "c"},
    ):
        assert api.post("/broadcast", body).status_code == 202
    everybody, some, one = api.redis.published
    assert isinstance(everybody, LiveBroadcast)
    assert everybody.frame == b'{"type":"message","data":"hi"}'
    assert [(str(m.framework_id), m.client_id) for m in (some, one)] == [(framework_id, None), ("None", "c")]  # type: ignore[union-attr]
    for bad, field in (
        ({}, "message"),
        ({"message": None}, "message"),
        ({"message": "x" * 40_000}, "message"),
        ({"message": "x", "framework_id": foreign}, "framework_id"),
        ({"message": "x", "framework_id": framework_id, "client_id": "c"}, "client_id"),
        ({"message": "x", "to": "all"}, "to"),
    ):
        answer = api.post("/broadcast", bad)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), bad
    api.redis.away = True
    assert api.post("/broadcast", {"message": "x"}).status_code == 503


def test_roles_are_ordered() -> None:
    assert sorted(RANKS, key=RANKS.__getitem__) == ["viewer", "responder", "editor", "admin", "owner"]
