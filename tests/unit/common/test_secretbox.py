"""Secrets at rest: keys are changed by putting a new one in front."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from convex_common.errors import SettingsError
from convex_common.secretbox import SecretBox, UnreadableSecret, id_of, key_id_of, prefix_of

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


def test_what_is_sealed_names_its_key() -> None:
    old, both = SecretBox([OLD]), SecretBox([NEW, OLD])
    assert both.key_ids == (id_of(NEW), id_of(OLD))
    assert key_id_of(old.seal({})) == id_of(OLD)
    assert key_id_of(both.seal({})) == id_of(NEW)
    assert OLD[:8] not in id_of(OLD)


def test_before_keys_had_ids_it_was_a_token_alone() -> None:
    token = Fernet(OLD).encrypt(b'{"a":1}')
    assert key_id_of(token) is None
    assert SecretBox([NEW, OLD]).open(token) == {"a": 1}
    with pytest.raises(UnreadableSecret):
        SecretBox([NEW]).open(token)


def test_sealing_anew_keeps_the_secrets_and_takes_the_newest_key() -> None:
    box = SecretBox([NEW, OLD])
    for sealed in (SecretBox([OLD]).seal({"a": 1}), Fernet(OLD).encrypt(b'{"a":1}')):
        again = box.reseal(sealed)
        assert key_id_of(again) == id_of(NEW)
        assert SecretBox([NEW]).open(again) == {"a": 1}
    with pytest.raises(UnreadableSecret):
        SecretBox([NEW]).reseal(SecretBox([OLD]).seal({"a": 1}))


def test_a_key_s_name_cannot_be_swapped() -> None:
    sealed = SecretBox([OLD]).seal({"a": 1})
    for other in (prefix_of(id_of(NEW)), b"key:", b"key:zzzzzzzz:", b"key:\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8:", b""):
        swapped = other + sealed[len(prefix_of(id_of(OLD))) :]
        if other:
            with pytest.raises(UnreadableSecret):
                SecretBox([NEW, OLD]).open(swapped)
        else:
            assert SecretBox([NEW, OLD]).open(swapped) == {"a": 1}
