"""Secrets at rest: keys are changed by putting a new one in front."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from convex_common.errors import SettingsError
from convex_common.secretbox import SecretBox, UnreadableSecret

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


def test_what_is_sealed_opens_again_and_shows_nothing() -> None:
    sealed = SecretBox([OLD]).seal({"secret": "whsec_x", "n": [1]})
    assert b"whsec" not in sealed
    assert SecretBox([OLD]).open(sealed) == {"secret": "whsec_x", "n": [1]}


def test_old_secrets_open_behind_a_new_key() -> None:
    sealed = SecretBox([OLD]).seal({"a": 1})
    assert SecretBox([NEW, OLD]).open(sealed) == {"a": 1}
    fresh = SecretBox([NEW, OLD]).seal({"a": 2})
    assert SecretBox([NEW]).open(fresh) == {"a": 2}


@pytest.mark.parametrize("change", [lambda sealed: sealed[:-1] + b"A", lambda _: b"", lambda _: b"\xff"])
def test_what_no_key_opens_says_so(change: object) -> None:
    sealed = SecretBox([OLD]).seal({"a": 1})
    with pytest.raises(UnreadableSecret, match="ENCRYPTION_KEYS"):
        SecretBox([NEW]).open(sealed)
    with pytest.raises(UnreadableSecret):
        SecretBox([OLD]).open(change(sealed))  # type: ignore[operator]


@pytest.mark.parametrize("keys", [[], ["short"], [OLD, "short"]])
def test_keys_that_are_none_are_named(keys: list[str]) -> None:
    with pytest.raises(SettingsError, match="ENCRYPTION_KEYS"):
        SecretBox(keys)
