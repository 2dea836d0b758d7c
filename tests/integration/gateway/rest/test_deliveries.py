"""The ledger of deliveries, and the caller's own inbox."""

from __future__ import annotations

import uuid

import pytest

from convex_gateway.shapes.deliveries import DeliveryPage
from convex_gateway.shapes.people import NotificationPage
from tests.support.rest import Api, token_of

pytestmark = pytest.mark.timeout(120)


def test_deliveries_are_listed_with_their_attempts(api: Api) -> None:
    one, two = api.webhook("one"), api.webhook("two")
    alert = api.alert(api.framework(), notified=True)
    delivery = next(item for item in api.get("/deliveries").json()["items"] if item["channel_id"] == one)
    with api.database.transaction(api.workspace_id) as connection:
        for number in (1, 2):
            connection.execute(
                "INSERT INTO attempts (id, workspace_id, delivery_id, number, outcome, error, started_at, duration_ms)"
                " VALUES (%s, %s, %s, %s, 'retry', 'refused', now(), 3)",
                (api.ids.new(), api.workspace_id, delivery["id"], number),
            )
    answer = api.get(f"/deliveries?channel_id={one}")
    DeliveryPage.model_validate_json(answer.content, strict=False)
    (item,) = answer.json()["items"]
    assert [attempt["number"] for attempt in item["attempts"]] == [1, 2]
    assert item == api.get(f"/deliveries/{delivery['id']}", role="viewer").json()
    assert (item["channel_name"], item["cause"], item["alert_id"]) == ("one", "fired", str(alert.id))

    def count(query: str) -> int:
        return len(api.get(f"/deliveries?{query}").json()["items"])

    assert (count("status=pending"), count("status=failed")) == (2, 0)
    assert (count(f"alert_id={alert.id}"), count(f"alert_id={two}")) == (2, 0)
    first = api.get("/deliveries?limit=1").json()
    rest = api.get(f"/deliveries?limit=1&cursor={first['next_cursor']}").json()
    assert {first["items"][0]["id"], rest["items"][0]["id"]} == {
        item["id"] for item in api.get("/deliveries").json()["items"]
    }
    assert rest["next_cursor"] is None
    assert api.get("/deliveries?status=lost").json()["errors"][0]["field"] == "status"


@pytest.mark.parametrize("status", ["delivered", "failed", "quarantined"])
def test_a_finished_delivery_is_replayed(api: Api, status: str) -> None:
    api.webhook()
    api.alert(api.framework(), notified=True)
    ((delivery_id,),) = api.rows(
        "UPDATE deliveries SET status = %s, attempts = 5, expiries = 2, last_error = 'x', finished_at = now(), "
        "lease_token = 7, lease_until = now() RETURNING id",
        status,
    )
    answer = api.post(f"/deliveries/{delivery_id}/replay")
    assert answer.status_code == 202, answer.text
    assert (answer.json()["status"], answer.json()["failures"], answer.json()["last_error"]) == ("pending", 0, None)
    assert api.rows(
        "SELECT attempts, expiries, lease_token, due_at <= now(), traceparent IS NOT NULL FROM deliveries"
    ) == [(0, 0, None, True, True)]
    assert api.redis.hints[-1][1].ids == (str(delivery_id),)
    assert api.post(f"/deliveries/{delivery_id}/replay").status_code == 409


def test_nothing_is_replayed_to_a_deleted_channel(api: Api) -> None:
    channel_id = api.webhook()
    api.alert(api.framework(), notified=True)
    ((delivery_id,),) = api.rows("UPDATE deliveries SET status = 'failed' RETURNING id")
    api.delete(f"/channels/{channel_id}")
    assert api.post(f"/deliveries/{delivery_id}/replay").status_code == 409
    assert api.get(f"/deliveries/{delivery_id}").json()["status"] == "failed"


def test_other_workspaces_deliveries_are_not_there(api: Api, elsewhere: uuid.UUID) -> None:
    api.webhook()
    api.alert(api.framework(), notified=True)
    ((delivery_id,),) = api.rows("UPDATE deliveries SET status = 'failed' RETURNING id")
    token = token_of(elsewhere, "editor", "editor")
    assert api.get(f"/deliveries/{delivery_id}", token=token).status_code == 404
    assert api.post(f"/deliveries/{delivery_id}/replay", token=token).status_code == 404
    assert api.get("/deliveries", token=token).json()["items"] == []


def test_an_inbox_is_its_owners_alone(api: Api) -> None:
    alert = api.alert(api.framework(), notified=True)
    ((notification_id, data),) = api.rows("SELECT id, data FROM notifications")
    with api.database.transaction(api.workspace_id) as connection:
        for user in ("viewer", "editor"):
            connection.execute(
                "INSERT INTO user_notifications (workspace_id, id, user_id, notification_id, alert_id, cause, title, "
                "data) VALUES (%s, %s, %s, %s, %s, 'fired', 'slow', %s)",
                (api.workspace_id, api.ids.new(), user, notification_id, alert.id, data),
            )
    answer = api.get("/notifications", role="viewer")
    NotificationPage.model_validate_json(answer.content)
    (item,) = answer.json()["items"]
    assert (item["data"]["id"], item["read_at"]) == (str(alert.id), None)
    path = f"/notifications/{item['id']}/read"
    assert api.post(path, role="editor").status_code == 404, "somebody else's"
    first = api.post(path, role="viewer").json()
    assert first["read_at"] is not None
    assert api.post(path, role="viewer").json() == first, "the first time counts"
    assert api.post(f"/notifications/{notification_id}/read", role="viewer").json() == first, "as live frames name it"
    assert api.post(f"/notifications/{notification_id}/read", role="responder").status_code == 404
    assert api.get("/notifications?unread=true", role="viewer").json()["items"] == []
    assert len(api.get("/notifications?unread=false", role="viewer").json()["items"]) == 1
    assert len(api.get("/notifications?unread=true", role="editor").json()["items"]) == 1
