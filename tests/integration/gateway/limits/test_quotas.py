"""How many frameworks, rules and channels a workspace may have: exactly, also when several make the last one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from convex_gateway.limits.quotas import Quota, Quotas
from tests.support.rest import Api, token_of

pytestmark = pytest.mark.timeout(60)

Body = Callable[[str, int], dict[str, Any]]
"""A draft by a framework's id and a number."""

DRAFTS: dict[Quota, Body] = {
    Quota.FRAMEWORKS: lambda _, n: {"name": f"framework {n}"},
    Quota.RULES: lambda framework, n: {
        "framework_id": framework,
        "name": f"rule {n}",
        "metric": "latency",
        "condition": "above",
        "threshold_value": 10,
    },
    Quota.CHANNELS: lambda _, n: {
        "kind": "webhook",
        "name": f"channel {n}",
        "config": {"url": "https://example.com/hook"},
    },
}


@pytest.mark.parametrize("quota", DRAFTS)
def test_the_last_place_is_taken_once_and_given_back(api: Api, elsewhere: uuid.UUID, quota: Quota) -> None:
    framework = api.framework()
    made = 1 if quota is Quota.FRAMEWORKS else 0
    api.gateway.quotas = Quotas({quota: made + 3})
    path, draft = f"/{quota}", DRAFTS[quota]
    answers = api.at_once([api.request("POST", path, json=draft(framework, n)) for n in range(8)])
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 5
    refused = next(answer for answer in answers if answer.status_code == 409).json()["detail"]
    assert f"has {made + 3} {quota} and may have no more; delete some, or have QUOTA_{quota.upper()} raised" in refused
    other = {"name": "elsewhere"} if quota is Quota.FRAMEWORKS else None
    if other:
        assert api.post(path, other, token=token_of(elsewhere, "editor", "editor")).status_code == 201
    one = next(answer for answer in answers if answer.status_code == 201).json()["id"]
    assert api.delete(f"{path}/{one}").status_code == 204
    assert api.post(path, draft(framework, 9)).status_code == 201
    assert api.post(path, draft(framework, 10)).status_code == 409


PEOPLE: dict[Quota, tuple[str, Callable[[int], dict[str, Any]]]] = {
    Quota.API_KEYS: ("/api-keys", lambda n: {"name": f"key {n}", "role": "viewer"}),
    Quota.MEMBERS: ("/members", lambda n: {"user_id": f"person {n}", "role": "viewer"}),
}


@pytest.mark.parametrize("quota", PEOPLE)
def test_keys_and_members_have_their_quotas_too(api: Api, quota: Quota) -> None:
    path, draft = PEOPLE[quota]
    there = len(api.get(path, role="owner").json()["items"])
    api.gateway.quotas = Quotas({quota: there + 1})
    answers = api.at_once([api.request("POST", path, json=draft(n), role="owner") for n in range(4)])
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409], answers[0].text
    assert f"may have no more; delete some, or have QUOTA_{quota.upper()} raised" in "".join(a.text for a in answers)


def test_without_a_quota_there_is_no_end(api: Api) -> None:
    assert all(api.post("/frameworks", {"name": f"f{n}"}).status_code == 201 for n in range(5))


def test_a_replayed_write_needs_no_place(api: Api) -> None:
    api.gateway.quotas = Quotas({Quota.FRAMEWORKS: 1})
    headers = {"Idempotency-Key": "k"}
    assert api.post("/frameworks", {"name": "x"}, headers=headers).status_code == 201
    assert api.post("/frameworks", {"name": "x"}, headers=headers).status_code == 201
    assert api.post("/frameworks", {"name": "y"}).status_code == 409


def test_every_quota_can_be_counted(api: Api) -> None:
    async def counted() -> None:
        async with api.gateway.database.transaction(api.workspace_id) as connection:
            for quota in Quota:
                await Quotas({quota: 1_000}).check(connection, api.workspace_id, quota)

    api.run(counted())
