"""Channels by REST: secrets stay secret, tests become deliveries."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

import pytest
from cryptography.fernet import Fernet
from standardwebhooks import Webhook

from convex_common.secretbox import SecretBox
from tests.support.rest import Api, token_of

pytestmark = pytest.mark.timeout(120)

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
HOOK: dict[str, Any] = {
    "kind": "webhook",
    "name": "hook",
    "config": {"url": "https://example.com/hook", "secret": SECRET},
}
INBOX = {"kind": "in_app", "name": "inbox", "config": {}}
MAIL: dict[str, Any] = {
    "kind": "email",
    "name": "on-call",
    "config": {"to": ["ops@example.com", "jörg@bücher.example"]},
}
SLACK_PATH = "/services/T0/B0/aVerySecretPath"
SLACK = {"kind": "slack", "name": "alerts", "config": {"webhook_url": f"https://hooks.slack.com{SLACK_PATH}"}}


def test_a_given_secret_is_never_told(api: Api) -> None:
    made = api.post("/channels", HOOK)
    assert made.status_code == 201
    channel = made.json()
    assert channel["config"] == {"url": "https://example.com/hook"}
    assert channel["generated_secret"] is None
    path = f"/channels/{channel['id']}"
    told = [made, api.get(path), api.get("/channels"), api.patch(path, {"name": "b"})]
    assert not any(SECRET in answer.text or SECRET[6:] in answer.text for answer in told)
    sealed = api.rows("SELECT secrets, config::text FROM channels")[0]
    assert SECRET[6:].encode() not in sealed[0]
    assert "secret" not in sealed[1]
    assert api.gateway.secrets.open(sealed[0]) == {"secret": SECRET}


def test_a_generated_secret_is_told_once(api: Api) -> None:
    channel = api.made("/channels", HOOK | {"config": {"url": "http://127.0.0.1:9/x"}})
    Webhook(channel["generated_secret"])
    assert "generated_secret" not in api.get(f"/channels/{channel['id']}").json()
    sealed = api.rows("SELECT secrets FROM channels")[0][0]
    assert api.gateway.secrets.open(sealed) == {"secret": channel["generated_secret"]}


def test_a_change_keeps_what_it_does_not_name(api: Api) -> None:
    channel = api.made("/channels", HOOK | {"matchers": [{"name": "team", "op": "=~", "value": "a|b"}]})
    path = f"/channels/{channel['id']}"

    def sealed() -> Any:
        return api.gateway.secrets.open(api.rows("SELECT secrets FROM channels")[0][0])["secret"]

    moved = api.patch(path, {"config": {"url": "https://example.org/"}, "min_severity": "error"}).json()
    assert (moved["config"], moved["min_severity"]) == ({"url": "https://example.org/"}, "error")
    assert (moved["matchers"], sealed()) == (channel["matchers"], SECRET)
    other = base64.b64encode(bytes(32)).decode()
    assert api.patch(path, {"config": {"secret": other}}).json()["config"] == {"url": "https://example.org/"}
    assert sealed() == f"whsec_{other}"
    for patch, field in (
        ({"kind": "in_app"}, "kind"),
        ({"config": {"secret": None}}, "config.secret"),
        ({"config": {"url": "ftp://example.org"}}, "config.url"),
        ({"config": {"user_ids": ["editor"]}}, "config.user_ids"),
        ({"config": None}, "config"),
        ({"matchers": None}, "matchers"),
    ):
        answer = api.patch(path, patch)
        assert (answer.status_code, [e["field"] for e in answer.json()["errors"]]) == (422, [field]), patch
    assert api.patch(path, {"kind": "webhook", "enabled": False}).json()["enabled"] is False


def test_a_secret_whose_key_is_gone_is_given_anew(api: Api) -> None:
    path = f"/channels/{api.made('/channels', HOOK)['id']}"
    api.gateway.secrets = SecretBox([Fernet.generate_key().decode()])
    assert api.patch(path, {"name": "other"}).status_code == 200
    assert api.patch(path, {"config": {"url": "https://example.org"}}).status_code == 409
    assert api.patch(path, {"config": {"secret": SECRET}}).status_code == 200


def test_an_inbox_is_of_members(api: Api) -> None:
    assert api.made("/channels", INBOX)["config"] == {"user_ids": None}
    assert api.made("/channels", INBOX | {"config": {"user_ids": ["editor"]}})["config"] == {"user_ids": ["editor"]}
    answer = api.post("/channels", INBOX | {"config": {"user_ids": ["editor", "stranger"]}})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "config.user_ids[1]")


def test_mailboxes_are_told_and_changed(api: Api) -> None:
    channel = api.made("/channels", MAIL | {"config": {"to": [*MAIL["config"]["to"], "ops@EXAMPLE.com"]}})
    assert channel["config"] == {"to": ["ops@EXAMPLE.com", "jörg@bücher.example"]}
    path = f"/channels/{channel['id']}"
    assert api.patch(path, {"name": "other"}).json()["config"] == channel["config"]
    assert api.patch(path, {"config": {"to": ["a@example.com"]}}).json()["config"] == {"to": ["a@example.com"]}
    assert api.patch(path, {"config": {"to": None}}).json()["errors"][0]["field"] == "config.to"
    assert api.rows("SELECT config, secrets FROM channels") == [({"to": ["a@example.com"]}, None)]
    answer = api.post(f"{path}/test")
    assert answer.status_code == 202
    assert api.rows("SELECT target FROM deliveries") == [("mail server",)]


def test_email_takes_an_installation_that_sends_it(api: Api) -> None:
    api.gateway.settings.smtp_host = None
    answer = api.post("/channels", MAIL)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (422, "kind")
    assert "SMTP_HOST" in error["message"]


def test_slacks_address_is_its_secret(api: Api) -> None:
    made = api.post("/channels", SLACK)
    channel = made.json()
    assert (made.status_code, channel["config"]) == (201, {"host": "hooks.slack.com"})
    assert channel["generated_secret"] is None
    path = f"/channels/{channel['id']}"
    moved = api.patch(path, {"config": {"webhook_url": "https://chat.example.com/hooks/xyz"}})
    told = [made, api.get(path), api.get("/channels"), api.patch(path, {"name": "b", "config": {}}), moved]
    assert not any(SLACK_PATH in answer.text or "xyz" in answer.text for answer in told)
    assert moved.json()["config"] == {"host": "chat.example.com"}
    ((sealed, config),) = api.rows("SELECT secrets, config FROM channels")
    assert api.gateway.secrets.open(sealed) == {"webhook_url": "https://chat.example.com/hooks/xyz"}
    assert config == {"host": "chat.example.com"}
    for value in (None, "https://a:b@example.com/", "no address"):
        answer = api.patch(path, {"config": {"webhook_url": value}})
        assert [error["field"] for error in answer.json()["errors"]] == ["config.webhook_url"], value
    assert api.post(f"{path}/test").status_code == 202
    assert api.rows("SELECT target FROM deliveries") == [("chat.example.com",)]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "nobody's e-mail": ({"kind": "email", "config": {"to": []}}, "config.to"),
    "e-mail to 51": ({"kind": "email", "config": {"to": [f"a{n}@example.com" for n in range(51)]}}, "config.to"),
    "no mailbox": ({"kind": "email", "config": {"to": ["a@example.com", "b@"]}}, "config.to[1]"),
    "name and mailbox": ({"kind": "email", "config": {"to": ["Ann <a@example.com>"]}}, "config.to[0]"),
    "two headers": ({"kind": "email", "config": {"to": ["a@example.com\r\nBcc: b@example.com"]}}, "config.to[0]"),
    "two mailboxes in one": ({"kind": "email", "config": {"to": ["a@example.com,b@example.com"]}}, "config.to[0]"),
    "mailbox without a domain": ({"kind": "email", "config": {"to": ["a@exa_mple.com"]}}, "config.to[0]"),
    "e-mail's other field": ({"kind": "email", "config": {"to": ["a@example.com"], "bcc": []}}, "config.bcc"),
    "slack without address": ({"kind": "slack", "config": {}}, "config.webhook_url"),
    "slack's other scheme": ({"kind": "slack", "config": {"webhook_url": "slack://T0/B0/x"}}, "config.webhook_url"),
    "slack's host": ({"kind": "slack", "config": {"webhook_url": "https://hooks.slack.com/x", "host": "a"}},
                     "config.host"),
    "apprise": ({"kind": "apprise", "config": {"url": "json://x"}}, "kind"),
    "unknown kind": ({"kind": "pager"}, "kind"),
    "no address": ({"config": {}}, "config.url"),
    "other scheme": ({"config": {"url": "file:///etc/passwd"}}, "config.url"),
    "no host": ({"config": {"url": "https:///path"}}, "config.url"),
    "bad port": ({"config": {"url": "https://example.com:99999/"}}, "config.url"),
    "login in address": ({"config": {"url": "https://a:b@example.com/"}}, "config.url"),
    "blank in address": ({"config": {"url": "https://example.com/a b"}}, "config.url"),
    "secret no base64": ({"config": {"url": "https://example.com", "secret": "whsec_!!!!!!!!!!!!!!!!!!!!"}},
                         "config.secret"),
    "secret too short": ({"config": {"url": "https://example.com", "secret": "whsec_c2hvcnQ="}}, "config.secret"),
    "other kind's field": ({"config": {"url": "https://example.com", "user_ids": []}}, "config.user_ids"),
    "config is a list": ({"config": []}, "config"),
    "nobody's inbox": ({"kind": "in_app", "config": {"user_ids": []}}, "config.user_ids"),
    "unknown severity": ({"min_severity": "bad"}, "min_severity"),
    "matcher without value": ({"matchers": [{"name": "a", "op": "="}]}, "matchers[0].value"),
    "matcher of unknown kind": ({"matchers": [{"name": "a", "op": "~", "value": "b"}]}, "matchers[0].op"),
    "no regular expression": (
        {"matchers": [{"name": "a", "value": "b"}, {"name": "a", "op": "=~", "value": "(" }]}, "matchers[1]"),
    "backreference": ({"matchers": [{"name": "a", "op": "!~", "value": r"(a)\1"}]}, "matchers[0]"),
    "unknown field": ({"colour": "red"}, "colour"),
}  # fmt: skip


def test_bad_channels_are_refused_by_field(api: Api) -> None:
    for case, (changed, field) in BAD.items():
        answer = api.post("/channels", HOOK | changed)
        assert answer.status_code == 422, (case, answer.text)
        assert [error["field"] for error in answer.json()["errors"]] == [field], case
        assert SECRET[6:] not in answer.text
    assert api.get("/channels").json()["items"] == []


def test_a_test_is_a_delivery_of_no_alert(api: Api) -> None:
    channel_id = api.webhook()
    answer = api.post(f"/channels/{channel_id}/test")
    assert answer.status_code == 202, answer.text
    delivery_id = answer.json()["delivery_id"]
    ((name, hint),) = api.redis.hints
    assert (name, hint.ids) == ("deliveries_due", (delivery_id,))
    delivery = api.get(f"/deliveries/{delivery_id}").json()
    assert (delivery["cause"], delivery["alert_id"], delivery["status"]) == ("test", None, "pending")
    assert api.rows("SELECT target FROM deliveries") == [("example.com",)]
    alert = json.loads(api.rows("SELECT data FROM notifications")[0][0])
    assert (alert["labels"], alert["context"]["test"], alert["context"]["requested_by"]) == (
        {"test": "true"}, True, "editor")  # fmt: skip
    api.redis.away = True
    assert api.post(f"/channels/{channel_id}/test").status_code == 202, "the pollers find it without a hint"


def test_a_channel_that_rules_name_is_not_deleted(api: Api) -> None:
    channel_id = api.webhook()
    rule = api.rule(api.framework(), channel_ids=[channel_id])
    refused = api.delete(f"/channels/{channel_id}")
    assert (refused.status_code, "'slow'" in refused.json()["detail"]) == (409, True)
    api.delete(f"/rules/{rule['id']}")
    assert api.delete(f"/channels/{channel_id}").status_code == 204
    assert api.get(f"/channels/{channel_id}").status_code == 404
    assert api.post(f"/channels/{channel_id}/test").status_code == 404


def test_other_workspaces_channels_are_not_there(api: Api, elsewhere: uuid.UUID) -> None:
    path = f"/channels/{api.webhook()}"
    token = token_of(elsewhere, "editor", "editor")
    assert [
        api.get(path, token=token).status_code,
        api.patch(path, {"name": "mine"}, token=token).status_code,
        api.post(f"{path}/test", token=token).status_code,
        api.delete(path, token=token).status_code,
    ] == [404, 404, 404, 404]
