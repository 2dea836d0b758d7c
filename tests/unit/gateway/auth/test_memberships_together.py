"""Questions about members that come at the same time are one question to the store."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pytest

from convex_common.domain.role import Role
from convex_common.errors import StoreUnavailable
from convex_gateway.memberships import Together

HERE, THERE = uuid.uuid4(), uuid.uuid4()


@dataclass
class Members:
    """A store that answers when it is told to, with what it holds then."""

    roles: dict[str, str] = field(default_factory=lambda: {"ada": "owner", "bob": "viewer"})
    asked: list[tuple[uuid.UUID, set[str]]] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    away: bool = False

    async def ask(self, workspace_id: uuid.UUID, user_ids: Collection[str]) -> Mapping[str, str]:
        self.asked.append((workspace_id, set(user_ids)))
        await self.answers.wait()
        if self.away:
            raise StoreUnavailable
        return {user_id: self.roles[user_id] for user_id in user_ids if user_id in self.roles}


async def _begun(*questions: asyncio.Task[Role | None]) -> None:
    for _ in range(3):
        await asyncio.sleep(0)
    assert not any(question.done() for question in questions)


def test_what_comes_meanwhile_is_asked_in_one() -> None:
    async def scenario() -> None:
        members = Members()
        together = Together(members.ask)
        first = asyncio.create_task(together.role_of(HERE, "ada"))
        await _begun(first)
        later = [asyncio.create_task(together.role_of(HERE, user)) for user in ("bob", "eve", "bob", "ada")]
        elsewhere = asyncio.create_task(together.role_of(THERE, "ada"))
        await _begun(*later, elsewhere)
        assert members.asked == [(HERE, {"ada"}), (THERE, {"ada"})], "a workspace waits for no other one"

        members.answers.set()

        assert await asyncio.gather(first, *later) == [Role.OWNER, Role.VIEWER, None, Role.VIEWER, Role.OWNER]
        assert await elsewhere is Role.OWNER
        assert members.asked[2:] == [(HERE, {"ada", "bob", "eve"})]

    asyncio.run(scenario())


def test_an_answer_is_never_older_than_its_question() -> None:
    async def scenario() -> None:
        members = Members()
        together = Together(members.ask)
        first = asyncio.create_task(together.role_of(HERE, "ada"))
        await _begun(first)
        second = asyncio.create_task(together.role_of(HERE, "ada"))
        await _begun(second)

        members.answers.set()
        await asyncio.gather(first, second)

        assert members.asked == [(HERE, {"ada"})] * 2, "the second came after the first was asked"

    asyncio.run(scenario())


def test_a_store_that_is_away_is_told_to_all_and_asked_again_later() -> None:
    async def scenario() -> None:
        members = Members(away=True)
        members.answers.set()
        together = Together(members.ask)
        questions = [asyncio.create_task(together.role_of(HERE, user)) for user in ("ada", "bob")]
        for question in questions:
            with pytest.raises(StoreUnavailable):
                await question

        members.away = False

        assert await together.role_of(HERE, "ada") is Role.OWNER

    asyncio.run(scenario())


def test_who_gives_up_takes_nobodys_answer_along() -> None:
    async def scenario() -> None:
        members = Members()
        together = Together(members.ask)
        gone, stays = (asyncio.create_task(together.role_of(HERE, "ada")) for _ in range(2))
        await _begun(gone, stays)
        gone.cancel()

        members.answers.set()

        assert await stays is Role.OWNER
        assert members.asked == [(HERE, {"ada"})]

    asyncio.run(scenario())
