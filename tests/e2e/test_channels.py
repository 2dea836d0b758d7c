"""From a rule and a trigger to a mailbox and to Slack, through a whole installation."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from convex_dev.stack import Stack
from tests.support.eventually import eventually
from tests.support.installation import Workspace, workspace_of
from tests.support.receiver import Receiver
from tests.support.slack import check
from tests.support.smtp import PASSWORD, USER, Authority, MailHost, mail_host

PAGE = "https://alerts.example.com"


@pytest.fixture
def host() -> Iterator[MailHost]:
    with mail_host(starttls=AUTHORITY.server(), auth=True) as made:
        yield made


AUTHORITY = Authority()


@pytest.fixture
def workspace(
    host: MailHost, new_stack: Callable[..., Stack], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workspace]:
    authority = tmp_path_factory.mktemp("authority") / "ca.pem"
    AUTHORITY.ca.cert_pem.write_to_path(str(authority))
    stack = new_stack(
        env={
            "SMTP_HOST": "localhost",
            "SMTP_PORT": str(host.port),
            "SMTP_USER": USER,
            "SMTP_PASSWORD": PASSWORD,
            "SMTP_FROM": "alerts@example.com",
            "SSL_CERT_FILE": str(authority),
            "PUBLIC_URL": PAGE,
        }
    )
    made = workspace_of(stack)
    yield made
    made.client.close()


def test_an_alerts_life_is_told_by_email_and_in_slack(workspace: Workspace, host: MailHost, receiver: Receiver) -> None:
    mail = {"kind": "email", "name": "on-call", "config": {"to": ["ops@example.com"]}}
    slack = {"kind": "slack", "name": "alerts", "config": {"webhook_url": receiver.url("/services/secret")}}
    channels = {one["kind"]: workspace.post("/api/v1/channels", one, 201)["id"] for one in (mail, slack)}
    rule = workspace.rule(workspace.framework(), name="Checkout is slow", severity="critical", channel_ids=None)

    workspace.post("/api/v1/triggers", {"alert_rule_id": rule, "current_value": 730, "labels": {"region": "eu"}}, 202)
    (fired,) = (mail.message for mail in host.wait_for_count(1))
    (alert,) = workspace.get("/api/v1/alerts")["items"]
    link = f"{PAGE}/alerts/{alert['id']}"
    assert host.mails[0].encrypted
    assert host.mails[0].signed_in
    assert fired["Subject"] == "[Critical] Checkout is slow: latency above 100"
    assert fired["X-Convex-Alert-Id"] == alert["id"]
    posted = check(receiver.wait_for_count(1)[0].body, link)
    assert posted["blocks"][0]["text"]["text"] == "Critical: Checkout is slow: latency above 100"
    text = fired.get_body(("plain",))
    assert text is not None
    assert link in text.get_content()
    opened = httpx.get(link.replace(PAGE, workspace.stack.url))
    assert (opened.status_code, opened.headers["content-type"]) == (200, "text/html; charset=utf-8"), "no redirect"

    workspace.post(f"/api/v1/alerts/{alert['id']}/resolve", {"notes": "rolled back"}, 200)
    resolved = host.wait_for_count(2)[1].message
    assert resolved["Subject"] == "[Resolved] Checkout is slow: latency above 100"
    assert resolved["References"] == fired["Message-ID"]
    told = check(receiver.wait_for_count(2)[1].body, link)
    assert "rolled back" in str(told["attachments"])

    for channel_id in channels.values():
        workspace.post(f"/api/v1/channels/{channel_id}/test", None, 202)
    assert host.wait_for_count(3)[2].message["Subject"].startswith("[Test] ")
    check(receiver.wait_for_count(3)[2].body, f"{PAGE}/")
    delivered = eventually(lambda: _all_delivered(workspace))
    assert {one["attempts"][0]["status_code"] for one in delivered} == {200, 250}
    logs = "".join(workspace.stack.log(name) for name in ("gateway", "notifier"))
    assert not any(secret in logs for secret in (PASSWORD, "/services/secret", "ops@example.com"))


def _all_delivered(workspace: Workspace) -> list[dict[str, list[dict[str, int]]]]:
    items: list[dict[str, list[dict[str, int]]]] = workspace.get("/api/v1/deliveries", status="delivered")["items"]
    return items if len(items) == 6 else []
