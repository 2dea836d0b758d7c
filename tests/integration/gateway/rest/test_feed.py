"""The live feed by REST: the WebSocket's frames, page by page, each offset once."""

from __future__ import annotations

import uuid

import pytest

from convex_common.domain.alert import as_wire
from convex_gateway.shapes.feed import FeedPage
from tests.support.rest import Api, token_of

pytestmark = pytest.mark.timeout(120)


def page(api: Api, **query: object) -> FeedPage:
    answer = api.call("GET", "/feed", role="viewer", params=query)
    assert answer.status_code == 200, answer.text
    return FeedPage.model_validate_json(answer.content)


def test_it_begins_where_the_feed_stands_and_goes_on_from_there(api: Api) -> None:
    framework_id = api.framework()
    api.alert(framework_id)
    begun = page(api)
    assert (begun.offset, begun.recovered, begun.items) == (1, True, [])
    alerts = [api.alert(framework_id) for _ in range(3)]
    read = page(api, epoch=begun.epoch, offset=begun.offset)
    assert ([frame.offset for frame in read.items], read.offset, read.more) == ([2, 3, 4], 4, False)
    raw = api.get(f"/feed?epoch={begun.epoch}&offset=3").content
    assert b'{"type":"alert","event":"created","offset":4,"data":%b}' % as_wire(alerts[-1]) in raw
    assert page(api, epoch=begun.epoch, offset=4).items == []


@pytest.mark.parametrize("of_framework", [False, True], ids=["workspace", "framework"])
def test_pages_have_each_offset_once(api: Api, of_framework: bool) -> None:
    wanted, other = api.framework("wanted"), api.framework("other")
    for number in range(7):
        api.alert(wanted if number % 2 else other)
    scope = {"framework_id": wanted} if of_framework else {}
    at, offsets, pages = page(api).model_copy(update={"offset": 0}), [], 0
    while True:
        at = page(api, epoch=at.epoch, offset=at.offset, limit=2, **scope)
        offsets += [frame.offset for frame in at.items]
        pages += 1
        if not at.more:
            break
    assert (offsets, at.offset) == (([2, 4, 6] if of_framework else [*range(1, 8)]), 7)
    assert pages == (2 if of_framework else 4)


def test_what_cannot_be_recovered_says_so(api: Api) -> None:
    framework_id = api.framework()
    for _ in range(2):
        api.alert(framework_id)
    epoch = page(api).epoch
    for query in ({"epoch": uuid.uuid4(), "offset": 1}, {"epoch": epoch, "offset": 3}):
        answer = page(api, **query)
        assert (answer.recovered, answer.offset, answer.items) == (False, 2, [])
    assert api.get("/feed?offset=1").status_code == 422


def test_another_workspace_has_a_feed_of_its_own(api: Api, elsewhere: uuid.UUID) -> None:
    api.alert(api.framework())
    answer = api.call("GET", "/feed", token=token_of(elsewhere, "editor", "editor"))
    assert (answer.json()["offset"], answer.json()["items"]) == (0, [])
