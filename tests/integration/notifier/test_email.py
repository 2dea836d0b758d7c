"""From a due delivery to mailboxes and the ledger: a real notifier, a real database, a real mail server."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from convex_common.metrics import Metrics
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.deliveries import replay
from tests.support.eventually import eventually
from tests.support.notifying import IDS, Ledger, NotifierProcess, notifying
from tests.support.ports import free_port
from tests.support.postgres import Store
from tests.support.smtp import Mail, MailHost, mail_host
from tests.support.told import ALERT

ANN, BOB = "ann@example.com", "bob@example.com"


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return Ledger(store)


@pytest.fixture
def host() -> Iterator[MailHost]:
    with mail_host() as made:
        yield made


@pytest.fixture
def port() -> int:
    return free_port()


@contextmanager
def mailing(ledger: Ledger, host: MailHost, **settings: Any) -> Iterator[Metrics]:
    with notifying(ledger.store, **by(host), **settings) as metrics:
        yield metrics


def by(host: MailHost) -> dict[str, Any]:
    """The settings that name this mail server."""
    return {
        "smtp_host": "127.0.0.1",
        "smtp_port": host.port,
        "smtp_tls": "none",
        "smtp_from": "alerts@example.com",
        "public_url": "https://alerts.example.com",
    }


def channel(ledger: Ledger, *to: str) -> uuid.UUID:
    return ledger.channel("email", {"to": to or [ANN]})


def deliver(ledger: Ledger, channel_id: uuid.UUID, **notification: Any) -> uuid.UUID:
    """A due delivery about the alert that these tests share."""
    notification_id, delivery_id = IDS.take(2)
    alert_id = uuid.UUID(ALERT["id"])
    told = {"cause": "fired", "sequence": 1, "data": json.dumps(ALERT).encode(), **notification}
    ledger._insert("notifications", {"id": notification_id, "alert_id": alert_id, **told})
    due = {"notification_id": notification_id, "channel_id": channel_id, "alert_id": alert_id, "target": "mail server"}
    ledger._insert("deliveries", {"id": delivery_id, **due})
    return delivery_id


def replayed(store: Store, delivery_id: uuid.UUID) -> None:
    """As a person does it."""

    async def again() -> None:
        database = AsyncDatabase(store.url, "tests")
        async with database.transaction(store.workspace_id) as connection:
            await replay(connection, store.workspace_id, delivery_id, "00-" + "1" * 32 + "-" + "2" * 16 + "-01")
        await database.close()

    asyncio.run(again())


def test_an_email_reaches_its_mailboxes_and_the_ledger(ledger: Ledger, host: MailHost) -> None:
    delivery_id = deliver(ledger, channel(ledger, ANN, BOB))
    with mailing(ledger, host) as metrics:
        row = ledger.settled(delivery_id, "delivered")
    (mail,) = host.mails
    assert (mail.sender, mail.recipients) == ("alerts@example.com", (ANN, BOB))
    assert mail.message["To"] == f"{ANN}, {BOB}"
    assert mail.message["Subject"] == f"[Critical] {ALERT['title']}"
    assert mail.message["X-Convex-Delivery-Id"] == str(delivery_id)
    assert f"https://alerts.example.com/alerts/{ALERT['id']}" in text_of(mail)
    assert row["attempts"] == 0
    (attempt,) = ledger.attempts(delivery_id)
    assert (attempt["outcome"], attempt["status_code"], attempt["error"]) == ("delivered", 250, None)
    assert attempt["answer"] == f"{ANN}: 250 2.0.0 Ok: queued as 1\n{BOB}: 250 2.0.0 Ok: queued as 1"
    sent = {"channel": "email", "status": "delivered"}
    assert metrics.registry.get_sample_value("notifications_sent_total", sent) == 1
    assert ledger.rows("SELECT * FROM delivery_recipients") == []


def test_what_an_alert_sends_is_a_thread(ledger: Ledger, host: MailHost) -> None:
    channel_id = channel(ledger)
    with mailing(ledger, host):
        for sequence, cause in enumerate(["fired", "reminder", "resolved"], 1):
            ledger.settled(deliver(ledger, channel_id, cause=cause, sequence=sequence), "delivered")
    fired, reminder, resolved = (mail.message for mail in host.mails)
    assert fired["References"] is None
    assert reminder["References"] == reminder["In-Reply-To"] == fired["Message-ID"]
    assert resolved["References"] == resolved["In-Reply-To"] == fired["Message-ID"]
    subjects = [f"[{tag}] {ALERT['title']}" for tag in ("Critical", "Still firing: critical", "Resolved")]
    assert [one["Subject"] for one in (fired, reminder, resolved)] == subjects


def test_a_greylisted_email_is_sent_again(ledger: Ledger, host: MailHost) -> None:
    host.script.data.append("451 4.7.1 greylisted")
    delivery_id = deliver(ledger, channel(ledger))
    with mailing(ledger, host):
        row = ledger.settled(delivery_id, "delivered")
    tried = [(one["outcome"], one["status_code"], one["error"]) for one in ledger.attempts(delivery_id)]
    assert tried == [("retry", 451, "put off for 1: 451 4.7.1 (policy or security)"), ("delivered", 250, None)]
    assert (row["attempts"], len(host.mails)) == (1, 1)


def test_one_that_is_repeated_after_it_was_taken_has_its_old_message_id(ledger: Ledger, host: MailHost) -> None:
    """What a crash between the server's word and our commit looks like."""
    delivery_id = deliver(ledger, channel(ledger))
    with mailing(ledger, host):
        ledger.settled(delivery_id, "delivered")
        ledger.replay(delivery_id)
        ledger.settled(delivery_id, "delivered")
    first, second = host.mails
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert first.content == second.content


def test_a_kill_after_it_was_taken_repeats_it_under_its_message_id(ledger: Ledger, host: MailHost, port: int) -> None:
    host.script.hold = 60
    leases = {"notifier_lease_seconds": 3, "notifier_attempt_seconds": 1.5}
    delivery_id = deliver(ledger, channel(ledger))
    first = NotifierProcess(ledger.store, port, **by(host), **leases)
    try:
        host.wait_for_count(1, within=60)
    finally:
        first.kill()
    host.script.hold = 0
    with mailing(ledger, host, **leases):
        row = ledger.settled(delivery_id, "delivered", within=20)
    assert host.mails[0].content == host.mails[1].content
    assert (len(host.mails), row["claims"], row["attempts"]) == (2, 2, 0)


def test_who_has_it_is_not_sent_it_again(ledger: Ledger, host: MailHost) -> None:
    host.script.to(BOB, "450 4.2.1 the mailbox is busy", "450 4.2.1 the mailbox is busy")
    delivery_id = deliver(ledger, channel(ledger, ANN, BOB))
    with mailing(ledger, host):
        row = ledger.settled(delivery_id, "delivered")
    assert [mail.recipients for mail in host.mails] == [(ANN,), (BOB,)]
    assert host.mails[0].content == host.mails[1].content
    assert row["attempts"] == 2
    tried = ledger.attempts(delivery_id)
    assert [one["status_code"] for one in tried] == [450, 450, 250]
    assert tried[1]["answer"] == f"{ANN}: 250 2.0.0 Ok: queued as 1\n{BOB}: 450 4.2.1 the mailbox is busy"
    assert tried[1]["error"] == "1 of 2 recipients have it; put off for 1: 450 4.2.1 (the mailbox)"


def test_who_is_refused_fails_it_and_a_replay_goes_to_them_alone(ledger: Ledger, host: MailHost) -> None:
    host.script.to(BOB, "550 5.1.1 no such user")
    delivery_id = deliver(ledger, channel(ledger, ANN, BOB))
    with mailing(ledger, host):
        row = ledger.settled(delivery_id, "failed")
        assert row["last_error"] == "1 of 2 recipients have it; refused for 1: 550 5.1.1 (the address)"
        replayed(ledger.store, delivery_id)
        ledger.settled(delivery_id, "delivered")
        assert [mail.recipients for mail in host.mails] == [(ANN,), (BOB,)]
        replayed(ledger.store, delivery_id)
        host.wait_for_count(3)
    assert host.mails[2].recipients == (ANN, BOB), "one that all have goes to all again"


def test_what_is_known_of_recipients_goes_with_their_delivery(ledger: Ledger, host: MailHost) -> None:
    host.script.to(ANN, "550 5.1.1 no such user")
    delivery_id = deliver(ledger, channel(ledger))
    with mailing(ledger, host):
        ledger.settled(delivery_id, "failed")
    assert [(one["address"], one["code"]) for one in ledger.rows("SELECT * FROM delivery_recipients")] == [(ANN, 550)]
    ledger.execute("DELETE FROM deliveries WHERE id = %s", delivery_id)
    assert ledger.rows("SELECT * FROM delivery_recipients") == []


def test_one_refused_and_one_put_off_ends_as_failed(ledger: Ledger, host: MailHost) -> None:
    host.script.to(ANN, "550 5.1.1 no such user")
    host.script.to(BOB, "451 4.3.0 later")
    delivery_id = deliver(ledger, channel(ledger, ANN, BOB))
    with mailing(ledger, host):
        row = ledger.settled(delivery_id, "failed")
    assert [mail.recipients for mail in host.mails] == [(BOB,)]
    assert row["last_error"] == "1 of 2 recipients have it; refused for 1: 550 5.1.1 (the address)"


def test_putting_one_off_does_not_hold_up_the_others(ledger: Ledger, host: MailHost) -> None:
    host.script.to(BOB, *["451 4.7.1 greylisted"] * 40)
    busy, quick = channel(ledger, BOB), channel(ledger, ANN)
    put_off = [deliver(ledger, busy, sequence=number) for number in range(1, 11)]
    with mailing(ledger, host, notifier_breaker_seconds=60, notifier_backoff_seconds=600):
        eventually(lambda: all(ledger.attempts(one) for one in put_off))
        ledger.settled(deliver(ledger, quick, sequence=99), "delivered")
    assert [mail.recipients for mail in host.mails] == [(ANN,)]


def test_without_a_mail_server_it_waits_and_says_why(ledger: Ledger) -> None:
    delivery_id = deliver(ledger, channel(ledger))
    with notifying(ledger.store, notifier_backoff_seconds=600):
        eventually(lambda: ledger.delivery(delivery_id)["last_error"])
    row = ledger.delivery(delivery_id)
    assert (row["status"], "SMTP_HOST" in row["last_error"]) == ("pending", True)


def text_of(mail: Mail) -> str:
    part = mail.message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())
