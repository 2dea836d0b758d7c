"""What a mail server's words make of an attempt, as a table."""

from __future__ import annotations

import pytest

from convex_notifier.domain.answer import Verdict
from convex_notifier.domain.reply import Reply, answer_of

TAKEN = Reply(250, "2.0.0 Ok: queued as 4XyZ")
GREYLISTED = Reply(451, "4.7.1 <b@x.example>: greylisted, come back later")
UNKNOWN = Reply(550, "5.1.1 <c@x.example>: no such user")
FULL = Reply(452, "4.2.2 the mailbox is full")
BARE = Reply(554, "no")
STRANGE = Reply(354, "what?")


@pytest.mark.parametrize(
    ("replies", "verdict", "code", "error"),
    [
        pytest.param([TAKEN], Verdict.ACCEPTED, 250, None, id="taken"),
        pytest.param([TAKEN, TAKEN], Verdict.ACCEPTED, 250, None, id="taken for all"),
        pytest.param(
            [GREYLISTED], Verdict.DEFERRED, 451, "put off for 1: 451 4.7.1 (policy or security)", id="greylisted"
        ),
        pytest.param([UNKNOWN], Verdict.REJECTED, 550, "refused for 1: 550 5.1.1 (the address)", id="unknown"),
        pytest.param([BARE], Verdict.REJECTED, 554, "refused for 1: 554", id="no enhanced code"),
        pytest.param([STRANGE], Verdict.DEFERRED, 354, "put off for 1: 354", id="nothing that was asked for"),
        pytest.param(
            [TAKEN, GREYLISTED],
            Verdict.DEFERRED,
            451,
            "1 of 2 recipients have it; put off for 1: 451 4.7.1 (policy or security)",
            id="some later",
        ),
        pytest.param(
            [TAKEN, TAKEN, UNKNOWN],
            Verdict.REJECTED,
            550,
            "2 of 3 recipients have it; refused for 1: 550 5.1.1 (the address)",
            id="some never",
        ),
        pytest.param(
            [TAKEN, UNKNOWN, FULL, UNKNOWN],
            Verdict.DEFERRED,
            452,
            "1 of 4 recipients have it; put off for 1 and refused for 2: "
            "452 4.2.2 (the mailbox), 550 5.1.1 (the address)",
            id="some later, some never",
        ),
    ],
)
def test_of_all_recipients(replies: list[Reply], verdict: Verdict, code: int, error: str | None) -> None:
    answer = answer_of({f"{name}@x.example": reply for name, reply in zip("abcd", replies, strict=False)})
    assert (answer.verdict, answer.status_code, answer.error) == (verdict, code, error)


def test_the_ledger_has_every_word_and_the_error_no_address() -> None:
    answer = answer_of({"b@x.example": GREYLISTED, "c@x.example": Reply(550, "5.1.1 two\nlines\x00")})
    assert answer.excerpt == (
        "b@x.example: 451 4.7.1 <b@x.example>: greylisted, come back later\n"
        "c@x.example: 550 5.1.1 two lines\N{REPLACEMENT CHARACTER}"
    )
    assert "@" not in (answer.error or "@")


def test_a_channel_without_recipients_is_told() -> None:
    answer = answer_of({})
    assert (answer.verdict, "config.to" in (answer.error or "")) == (Verdict.REJECTED, True)
