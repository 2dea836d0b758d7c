"""An issuer's keys: pinned, found by name, asked for no more than needed, and gone when the issuer takes them back."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from convex_common.errors import Unauthorized
from convex_gateway.jwks import MOST_WAITING, IssuerAway, KeySet
from convex_gateway.tokens import JwksSource, SecretSource, TokenReader
from tests.support.eventually import eventually_async
from tests.support.issuer import ISSUER, SigningKey, key_set, signing_key
from tests.unit.gateway.auth.test_tokens import by_hand

NOW = int(time.time())
CLAIMS: dict[str, Any] = {
    "sub": "ada",
    "workspace_id": str(uuid.uuid4()),
    "role": "editor",
    "iat": NOW,
    "exp": NOW + 60,
    "iss": ISSUER,
    "aud": "convex",
}
SECRET = "a secret that is only good for tests, 32 bytes and more"
RSA, EC, ED = signing_key("rsa"), signing_key("ec", "ES256"), signing_key("ed", "EdDSA")
OTHER = signing_key("other")


class Issuer:
    """Its key set, changeable, with a count of the questions; away when told so."""

    def __init__(self, *keys: SigningKey) -> None:
        self.document = key_set(*keys)
        self.asked = 0
        self.away = False
        self.now = 0.0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> bytes:
        self.asked += 1
        document = self.document
        await self.gate.wait()
        if self.away:
            raise OSError("connection refused")
        return document

    def keys(self, interval: float = 0.0, refresh: float = 3600.0) -> KeySet:
        return KeySet(self, interval=interval, refresh=refresh, clock=lambda: self.now)

    def reader(self, keys: KeySet | None = None) -> TokenReader:
        algorithms = ["RS256", "ES256", "EdDSA"]
        return TokenReader(JwksSource(keys or self.keys(), algorithms=algorithms, issuer=ISSUER), audience="convex")


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 30))


@pytest.mark.parametrize("key", [RSA, EC, ED], ids=lambda key: key.algorithm)
def test_a_token_of_one_of_its_keys_is_good(key: SigningKey) -> None:
    async def scenario() -> None:
        assert (await Issuer(RSA, EC, ED).reader().read(key.sign(CLAIMS), NOW)).user_id == "ada"

    run(scenario)


def public_pem(key: SigningKey) -> bytes:
    pem: bytes = key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem


def der_of(key: SigningKey) -> bytes:
    der: bytes = key.private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return der


FORGED: dict[str, tuple[str, str]] = {
    "another key of the same name": (SigningKey("rsa", "RS256", OTHER.private).sign(CLAIMS), "signature"),
    "an unknown key": (OTHER.sign(CLAIMS), "signature"),
    "its own key in the header": (OTHER.sign(CLAIMS, jwk=OTHER.jwk), "signature"),
    "the address of its own keys": (OTHER.sign(CLAIMS, jku="https://evil.example/jwks.json"), "signature"),
    "the address of its own certificate": (OTHER.sign(CLAIMS, x5u="https://evil.example/cert"), "signature"),
    "a name that is a path": (OTHER.sign(CLAIMS, kid="../../dev/null"), "signature"),
    "a secret: the public key as PEM": (by_hand({"alg": "HS256", "kid": "rsa"}, CLAIMS, public_pem(RSA)), "algorithm"),
    "a secret: the public key as DER": (by_hand({"alg": "HS256", "kid": "rsa"}, CLAIMS, der_of(RSA)), "algorithm"),
    "none": (by_hand({"alg": "none", "kid": "rsa"}, CLAIMS, b""), "algorithm"),
    "an algorithm that is not pinned": (SigningKey("rsa", "PS256", RSA.private).sign(CLAIMS), "algorithm"),
    "another kind's algorithm": (by_hand({"alg": "ES256", "kid": "rsa"}, CLAIMS), "signature"),
    "an empty signature": (RSA.sign(CLAIMS).rpartition(".")[0] + ".", "signature"),
    "another audience": (RSA.sign(CLAIMS | {"aud": "billing"}), "audience"),
    "another issuer": (RSA.sign(CLAIMS | {"iss": "https://evil.example"}), "issuer"),
    **{f"no {claim}": (RSA.sign({k: v for k, v in CLAIMS.items() if k != claim}), claim) for claim in CLAIMS},
}


@pytest.mark.parametrize("case", FORGED)
def test_other_tokens_are_refused(case: str) -> None:
    token, why = FORGED[case]

    async def scenario() -> None:
        with pytest.raises(Unauthorized, match=why):
            await Issuer(RSA, EC, ED).reader().read(token, NOW)

    run(scenario)


def test_a_secret_and_an_issuer_side_by_side_are_never_taken_for_one_another() -> None:
    """While an installation moves from the one to the other."""
    secret = SecretSource(SECRET, algorithms=["HS256"], issuer="convex")
    issuer = Issuer(RSA)
    tokens = TokenReader(secret, JwksSource(issuer.keys(), algorithms=["RS256"], issuer=ISSUER), audience="convex")
    ours = CLAIMS | {"iss": "convex"}

    async def scenario() -> None:
        assert (await tokens.read(jwt.encode(ours, SECRET, algorithm="HS256"), NOW)).user_id == "ada"
        assert (await tokens.read(RSA.sign(CLAIMS), NOW)).user_id == "ada"
        for token in (
            jwt.encode(CLAIMS, SECRET, algorithm="HS256"),  # the issuer's name, signed by the secret
            RSA.sign(ours),
            by_hand({"alg": "HS256", "kid": "rsa"}, CLAIMS, public_pem(RSA)),
            by_hand({"alg": "HS256", "kid": "rsa"}, ours, public_pem(RSA)),
        ):
            with pytest.raises(Unauthorized):
                await tokens.read(token, NOW)

    run(scenario)
    with pytest.raises(ValueError, match="one source"):
        TokenReader(secret, secret, audience="convex")


def test_a_token_without_a_name_of_its_key_is_tried_with_what_fits() -> None:
    async def scenario() -> None:
        nameless = jwt.encode(CLAIMS, EC.private, algorithm="ES256")
        assert (await Issuer(RSA, signing_key("b", "ES256"), EC).reader().read(nameless, NOW)).user_id == "ada"

    run(scenario)


def test_a_new_key_is_fetched_once_for_all_who_bring_it() -> None:
    async def scenario() -> None:
        issuer = Issuer(RSA)
        reader = issuer.reader()
        await reader.read(RSA.sign(CLAIMS), NOW)
        issuer.document = key_set(RSA, EC)
        tokens = [EC.sign(CLAIMS | {"sub": f"user {number}"}) for number in range(50)]
        assert len(await asyncio.gather(*(reader.read(token, NOW) for token in tokens))) == 50
        assert issuer.asked == 2

    run(scenario)


def test_a_fetch_that_began_before_is_not_taken_for_an_answer() -> None:
    """The issuer adds a key and signs with it while we still read what it had before."""

    async def scenario() -> None:
        issuer = Issuer(RSA)
        reader = issuer.reader()
        issuer.gate.clear()
        early = asyncio.create_task(reader.read(RSA.sign(CLAIMS), NOW))
        await eventually_async(lambda: issuer.asked == 1)
        issuer.document = key_set(RSA, EC)
        late = asyncio.create_task(reader.read(EC.sign(CLAIMS), NOW))
        await asyncio.sleep(0)
        issuer.gate.set()
        assert {(await early).user_id, (await late).user_id} == {"ada"}
        assert issuer.asked == 2

    run(scenario)


def test_invented_names_make_us_ask_no_oftener_than_the_interval() -> None:
    async def scenario() -> None:
        issuer = Issuer(RSA)
        reader = issuer.reader(issuer.keys(interval=3600.0))
        await reader.read(RSA.sign(CLAIMS), NOW)
        flood = [asyncio.create_task(reader.read(OTHER.sign(CLAIMS, kid=f"k{number}"), NOW)) for number in range(100)]
        await asyncio.sleep(0.05)
        assert issuer.asked == 1, "they wait for the next time"
        assert (await reader.read(RSA.sign(CLAIMS | {"sub": "bob"}), NOW)).user_id == "bob", "and hold nobody up"
        for task in flood:
            task.cancel()

    run(scenario)


def test_only_so_many_wait() -> None:
    async def scenario() -> None:
        issuer = Issuer(RSA)
        keys = issuer.keys()
        issuer.gate.clear()
        waiting = [asyncio.create_task(keys.find(f"k{number}", "RS256")) for number in range(MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(IssuerAway, match="too many"):
            await keys.find("one more", "RS256")
        issuer.gate.set()
        assert {tuple(found) for found in await asyncio.gather(*waiting)} == {()}

    run(scenario)


def test_a_key_that_the_issuer_does_not_have_is_not_asked_for_again_at_once() -> None:
    async def scenario() -> None:
        issuer = Issuer(RSA)
        keys = issuer.keys()
        for _ in range(3):
            assert not await keys.find("gone", "RS256")
        assert issuer.asked == 1
        issuer.now += 60
        await keys.find("gone", "RS256")
        assert issuer.asked == 2

    run(scenario)


def test_a_key_that_was_taken_back_stops_working_with_the_next_fetch() -> None:
    """Also for tokens that were verified before and are remembered."""

    async def scenario() -> None:
        issuer = Issuer(RSA, EC)
        keys = issuer.keys(refresh=0.02)
        reader, token, other = issuer.reader(keys), RSA.sign(CLAIMS), EC.sign(CLAIMS)
        keys.start()
        await reader.read(token, NOW)
        await reader.read(other, NOW)
        issuer.document = key_set(EC)
        (key,) = await keys.find("rsa", "RS256")
        await eventually_async(lambda: not keys.holds(key))
        with pytest.raises(Unauthorized):
            await reader.read(token, NOW)
        assert (await reader.read(other, NOW)).user_id == "ada"
        await keys.stop()

    run(scenario)


def test_while_the_issuer_is_away_known_keys_stay_and_others_cannot_be_told() -> None:
    async def scenario() -> None:
        issuer = Issuer(RSA)
        reader = issuer.reader()
        await reader.read(RSA.sign(CLAIMS), NOW)
        for fault in ("away", "nonsense"):
            issuer.away, issuer.document = fault == "away", b"<html>"
            assert (await reader.read(RSA.sign(CLAIMS | {"sub": fault}), NOW)).user_id == fault
            with pytest.raises(IssuerAway):
                await reader.read(EC.sign(CLAIMS), NOW)
        issuer.document = key_set(RSA, EC)
        assert (await reader.read(EC.sign(CLAIMS), NOW)).user_id == "ada", "it is back"

    run(scenario)


def test_an_issuer_that_is_away_at_the_start_is_asked_until_it_is_there() -> None:
    async def scenario() -> None:
        issuer = Issuer(RSA)
        issuer.away = True
        keys = issuer.keys(refresh=0.02)
        keys.start()
        with pytest.raises(IssuerAway):
            await issuer.reader(keys).read(RSA.sign(CLAIMS), NOW)
        issuer.away = False
        await eventually_async(lambda: keys._keys is not None)
        assert (await issuer.reader(keys).read(RSA.sign(CLAIMS), NOW)).user_id == "ada"
        await keys.stop()

    run(scenario)


def test_who_asks_and_goes_away_takes_nobody_along() -> None:
    async def scenario() -> None:
        issuer = Issuer(RSA)
        keys = issuer.keys()
        issuer.gate.clear()
        first = asyncio.create_task(keys.find("rsa", "RS256"))
        second = asyncio.create_task(keys.find("rsa", "RS256"))
        await eventually_async(lambda: issuer.asked == 1)
        first.cancel()
        issuer.gate.set()
        assert len(await second) == 1

    run(scenario)
