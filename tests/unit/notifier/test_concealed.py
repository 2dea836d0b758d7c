"""What the other side echoes of a channel's secrets is not kept."""

from __future__ import annotations

import pytest

from convex_notifier.domain.answer import Answer, Verdict
from convex_notifier.domain.concealed import parts_of, within

URL = "https://hooks.example.com/services/T00000000/B00000000/XXXXXXXXsecretXXXX?token=query-secret%2F1"
PARTS = parts_of([URL, "whsec_bXktc2VjcmV0LW9mLWJ5dGVz", 5, None, "short"])


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (None, None),
        ("ok", "ok"),
        ("the services are away", "the services are away"),
        (f"no route for {URL}!", "no route for [secret]!"),
        ("Cannot POST /services/T00000000/B00000000/XXXXXXXXsecretXXXX", "Cannot POST [secret]"),
        ("team T00000000 is unknown", "team [secret] is unknown"),
        ("token query-secret/1 or query-secret%2F1", "token [secret] or [secret]"),
        ("bXktc2VjcmV0LW9mLWJ5dGVz and whsec_bXktc2VjcmV0LW9mLWJ5dGVz", "[secret] and [secret]"),
        ("cut off amid whsec_bXktc2Vjcm", "cut off amid [secret]"),
        ("cut off amid XXXXXXXXsecretX", "cut off amid [secret]"),
        ("short", "short"),
    ],
)
def test_secrets_are_taken_out(told: str | None, kept: str | None) -> None:
    given = Answer(Verdict.REJECTED, told, 404, told)
    assert within(given, PARTS) == Answer(Verdict.REJECTED, kept, 404, kept)
    assert within(given, ()) == given


@pytest.mark.parametrize(
    "address", ["http://[::1/hook/aVerySecretPath", "http://a b/hook/aVerySecretPath#at", "://x/hook/aVerySecretPath"]
)
def test_an_address_that_is_malformed_is_a_secret_all_the_same(address: str) -> None:
    given = Answer(Verdict.REJECTED, "no such place: /hook/aVerySecretPath, aVerySecretPath", None, None)
    assert within(given, parts_of([address])).error == "no such place: [secret], [secret]"
