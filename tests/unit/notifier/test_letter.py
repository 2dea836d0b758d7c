"""E-mails as mail programs read them."""

from __future__ import annotations

import email
import json
import re
import uuid
from email import policy
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex_common.domain.mailbox import Mailbox
from convex_notifier.domain import summary
from convex_notifier.domain.letter import subject
from convex_notifier.domain.message import Destination, Message
from convex_notifier.letters import NAMES_WIDTH, Letters
from tests.support.told import messages, telling
from tests.unit.notifier.messages import a_message

PAGE = "https://alerts.example.com"
CHANNEL = uuid.UUID(int=7)
EMAIL = Destination(channel_id=CHANNEL, kind="email", config={})
OPS = [Mailbox.parse("ops@example.com"), Mailbox.parse("on-call@bücher.example")]
LETTERS = Letters(Mailbox.parse("alerts@example.com"), PAGE)
HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "List-Id", "Auto-Submitted",
    "X-Auto-Response-Suppress", "Importance", "X-Convex-Workspace-Id", "X-Convex-Channel-Id", "X-Convex-Alert-Id",
    "X-Convex-Notification-Id", "X-Convex-Delivery-Id", "X-Convex-Cause", "X-Convex-Severity", "MIME-Version",
    "Content-Type",
}  # fmt: skip


def read(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=policy.default)


def written(message: Message, letters: Letters = LETTERS) -> EmailMessage:
    return read(letters.write(message, EMAIL, OPS))


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n")


class Page(HTMLParser):
    """What an HTML part shows, and what it would load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [
            value or "" for name, value in attrs if name in ("href", "src", "background", "srcset", "action")
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


PLAIN_TAGS = Page(part(written(a_message(alert=b"{}")), "html")).tags


def test_its_headers() -> None:
    made = written(telling())
    assert made["From"] == "Convex Alerts <alerts@example.com>"
    assert made["To"] == "ops@example.com, on-call@xn--bcher-kva.example"
    assert made["Subject"] == "[Critical] Checkout is slow: latency_p95_ms above 350"
    assert made["Date"].datetime == telling().created_at
    assert made["List-Id"] == f"<{CHANNEL}.example.com>"
    assert (made["Auto-Submitted"], made["Importance"]) == ("auto-generated", "high")
    assert made["X-Convex-Delivery-Id"] == str(telling().delivery_id)
    assert made["X-Convex-Alert-Id"] == str(telling().alert_id)
    assert made.get_content_type() == "multipart/alternative"
    assert [one.get_content_type() for one in made.iter_parts()] == ["text/plain", "text/html"]


def test_its_text() -> None:
    assert part(written(telling()), "plain") == (
        "Critical: Checkout is slow: latency_p95_ms above 350\n\n"
        "It has begun to fire.\n\n"
        "Value:        463.2\n"
        "Threshold:    350\n"
        "Severity:     critical\n"
        "Rule:         Checkout is slow\n"
        "Since:        2026-03-01 11:55:00 UTC\n"
        "Occurrences:  4\n\n"
        "Labels:\n  region = eu\n  team = payments\n\n"
        f"Open it: {PAGE}/alerts/{telling().alert_id}\n\n"
        "-- \nSent by Convex Alerts to a channel of your workspace.\n"
    )


def test_every_name_of_a_fact_has_room() -> None:
    names = [name for cause in summary.STATES for name, _ in summary.of(telling(cause), None).facts]
    assert max(len(name) for name in names) < NAMES_WIDTH


def test_its_html_has_the_same_and_one_link() -> None:
    page = Page(part(written(telling()), "html"))
    for text in (
        "Checkout is slow: latency_p95_ms above 350",
        "It has begun to fire.",
        "463.2",
        "payments",
        "Critical",
    ):
        assert text in page.text
    assert page.links == [f"{PAGE}/alerts/{telling().alert_id}"]
    assert Page(part(written(telling(), Letters(OPS[0], None)), "html")).links == []


def test_an_alerts_emails_are_a_thread() -> None:
    first, reminder, resolved = (
        written(telling(cause, sequence=sequence)) if sequence == 1 else read(
            LETTERS.write(a_message(cause=cause, sequence=sequence, notification_id=uuid.uuid4()), EMAIL, OPS)
        )
        for sequence, cause in enumerate(["fired", "reminder", "resolved"], 1)
    )  # fmt: skip
    root = first["Message-ID"]
    assert "References" not in first
    assert (reminder["References"], reminder["In-Reply-To"]) == (root, root)
    assert (resolved["References"], resolved["In-Reply-To"]) == (root, root)
    assert len({root, reminder["Message-ID"], resolved["Message-ID"]}) == 3


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({}, True),
        ({"delivery_id": uuid.UUID(int=99)}, True),
        ({"alert_id": uuid.UUID(int=99)}, False),
    ],
)
def test_ids_of_firsts_are_of_alert_and_channel(changed: dict[str, uuid.UUID], same: bool) -> None:
    other = written(a_message(**changed))
    assert (other["Message-ID"] == written(a_message())["Message-ID"]) is same


def test_another_channels_ids_are_others() -> None:
    elsewhere = Destination(channel_id=uuid.UUID(int=8), kind="email", config={})
    assert read(LETTERS.write(telling(), elsewhere, OPS))["Message-ID"] != written(telling())["Message-ID"]


def test_a_test_belongs_to_no_thread() -> None:
    made = written(a_message(alert_id=None, cause="test", sequence=1))
    assert "References" not in made
    assert made["Message-ID"]
    assert made["X-Convex-Alert-Id"] is None


def test_an_attempt_that_is_repeated_is_the_same_byte_for_byte() -> None:
    assert LETTERS.write(telling(), EMAIL, OPS) == LETTERS.write(telling(), EMAIL, OPS)


def test_long_domains_leave_ids_as_they_are() -> None:
    domain = ".".join(["a" * 50] * 4)
    letters = Letters(Mailbox.parse(f"alerts@{domain}"), None)
    raw = letters.write(telling("reminder", sequence=2), EMAIL, OPS).decode("ascii")
    for name in ("Message-ID", "In-Reply-To", "References"):
        assert re.search(rf"^{name}: <[0-9a-f]{{32}}@{domain}>\r$", raw, re.MULTILINE), name
    assert f"\r\nList-Id: <{CHANNEL}.{domain}>\r\n" in raw


def test_addresses_of_other_scripts_are_written_as_they_are() -> None:
    content = LETTERS.write(telling(title="läuft"), EMAIL, [Mailbox.parse("jörg@example.com")], utf8=True)
    assert "To: jörg@example.com\r\n" in content.decode()
    assert "Subject: [Critical] läuft\r\n" in content.decode()


@settings(deadline=None)
@given(messages)
def test_any_alert_is_seven_bits_in_short_lines_with_our_headers_alone(message: Message) -> None:
    content = LETTERS.write(message, EMAIL, OPS)
    lines = content.split(b"\r\n")
    assert content.isascii()
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert max(map(len, lines)) <= 998
    made = read(content)
    assert not made.defects
    assert set(made.keys()) <= HEADERS
    assert len(made.keys()) == len(set(made.keys()))
    assert made["To"] == "ops@example.com, on-call@xn--bcher-kva.example"
    told = summary.of(message, PAGE)
    assert " ".join(str(made["Subject"]).split()) == " ".join(subject(told).split())
    assert told.title in part(made, "plain")


@pytest.mark.parametrize(
    "title",
    [
        "Lager Köln: Förderbänder stören Abläufe, Kühlräume müssen geprüft werden",
        "メール サーバー の 応答 が 遅い ため 確認 して ください すぐ に",
    ],
)
def test_a_subject_of_other_scripts_keeps_each_space(title: str) -> None:
    content = LETTERS.write(telling(title=title), EMAIL, OPS)
    assert read(content)["Subject"] == f"[Critical] {title}"
    assert max(map(len, content.split(b"\r\n"))) <= 78


@pytest.mark.parametrize("end", ["=0D=0A", "=0A", "=0D", "=00", "=0D=0A=0D=0A"])
def test_a_title_that_reads_as_an_encoded_word_stays_a_title(end: str) -> None:
    made = read(LETTERS.write(telling(title=f"=?utf-8?Q?{end}Bcc:_eve@example.com?="), EMAIL, OPS))
    assert made["Bcc"] is None
    assert not made.defects
    assert made["Subject"] == f"[Critical] = ?utf-8?Q?{end}Bcc:_eve@example.com?="


@settings(deadline=None)
@given(messages)
def test_any_alert_is_text_in_html(message: Message) -> None:
    page = Page(part(written(message), "html"))
    assert set(page.tags) <= {*PLAIN_TAGS, "tr", "td", "table", "bdi", "span", "a", "p"}
    assert page.links == [summary.of(message, PAGE).link]


@settings(deadline=None)
@given(st.text(max_size=2000))
def test_a_subject_is_one_short_line(title: str) -> None:
    made = written(a_message(alert=json.dumps({"title": title}).encode("utf-8", "surrogatepass")))
    assert len(made["Subject"]) <= 200
    assert made["Subject"].startswith("[Info] ")
