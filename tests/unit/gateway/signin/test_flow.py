"""A sign-in that is under way: bound to its browser, and coming back to nowhere but us."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from convex_common.secretbox import SecretBox
from convex_gateway.signin import flow

BOX = SecretBox([Fernet.generate_key().decode()])


def test_a_flow_comes_back_as_it_was() -> None:
    begun = flow.begin("/x", "demo", 100.0)
    sealed = flow.seal(begun, BOX)
    assert flow.unseal(sealed, BOX) == begun
    assert begun.state not in sealed
    assert len({begun.state, begun.nonce, begun.verifier}) == 3
    assert 43 <= len(begun.verifier) <= 128, "as PKCE wants it"


def test_what_was_not_sealed_here_or_for_this_is_none() -> None:
    begun = flow.begin("/", "", 0.0)
    other = SecretBox([Fernet.generate_key().decode()])
    secret = BOX.seal({"url": "https://example.com"}).decode()
    for sealed in ("", "nonsense", "é", flow.seal(begun, other), flow.seal(begun, BOX)[:-2], secret):
        assert flow.unseal(sealed, BOX) is None


def test_it_is_for_one_answer_and_ten_minutes() -> None:
    begun = flow.begin("/", "", 100.0)
    assert begun.is_of(begun.state, 100.0 + flow.SECONDS - 1)
    assert not begun.is_of(begun.state, 100.0 + flow.SECONDS)
    for state in ("", begun.state[:-1], begun.nonce, "é", "\ud800"):
        assert not begun.is_of(state, 100.0)


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        ("/", "/"),
        ("/?a=b&c", "/?a=b&c"),
        ("/dashboard/x", "/dashboard/x"),
        ("", "/"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
        ("javascript:alert(1)", "/"),
        ("/#alert=x", "/#alert=x"),
        ("evil.example/", "/"),
        (" /", "/"),
        ("/é", "/"),
        ("/" + "x" * 600, "/"),
    ],
)
def test_targets(asked: str, target: str) -> None:
    assert flow.target_of(asked) == target


@given(st.text(alphabet="/\\.:@?#abc \t\r\n\x00é", max_size=12) | st.text(max_size=40))
def test_no_target_leads_to_another_host(asked: str) -> None:
    target = flow.target_of(asked)
    assert urlsplit(urljoin("https://alerts.example/auth/oidc/callback", target)).netloc == "alerts.example"
    assert target.startswith("/")
    assert not target.startswith(("//", "/\\"))
