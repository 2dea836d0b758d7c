"""Frames of clients, good and bad; frames of the server, to the letter."""

from __future__ import annotations

import json
import math
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.errors import Invalid
from convex_gateway.live import protocol
from convex_gateway.live.protocol import Auth, Ping, Since, Subscribe, Unsubscribe

W, F, E = uuid.UUID(int=1), uuid.UUID(int=2), uuid.UUID(int=3)


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('{"type":"auth","token":"t"}', Auth("t")),
        ('{"type":"subscribe"}', Subscribe()),
        ('{"type":"subscribe","framework_id":null}', Subscribe()),
        (f'{{"type":"subscribe","framework_id":"{F}"}}', Subscribe(F)),
        (f'{{"since":{{"epoch":"{E}","offset":0}},"type":"subscribe"}}', Subscribe(None, Since(E, 0))),
        (f'{{"type":"unsubscribe","framework_id":"{F}"}}', Unsubscribe(F)),
        ('{"type":"ping"}', Ping()),
    ],
)
def test_good_frames(text: str, frame: protocol.ClientFrame) -> None:
    assert protocol.parse(text) == frame


@pytest.mark.parametrize(
    ("text", "field"),
    [
        pytest.param("", "frame", id="empty"),
        pytest.param("{", "frame", id="no JSON"),
        pytest.param("[]", "frame", id="no object"),
        pytest.param("NaN", "frame", id="not a number"),
        pytest.param("[" * 20_000, "frame", id="nested beyond reason"),
        pytest.param("{}", "type", id="no type"),
        pytest.param('{"type":"shout"}', "type", id="unknown type"),
        pytest.param('{"type":7}', "type", id="type of the wrong type"),
        pytest.param('{"type":"auth"}', "token", id="no token"),
        pytest.param('{"type":"auth","token":""}', "token", id="empty token"),
        pytest.param('{"type":"auth","token":5}', "token", id="token is no string"),
        pytest.param('{"type":"ping","extra":1}', "extra", id="unknown field"),
        pytest.param('{"type":"subscribe","framework_id":"x"}', "framework_id", id="no UUID"),
        pytest.param('{"type":"subscribe","since":5}', "since", id="since is no object"),
        pytest.param(f'{{"type":"subscribe","since":{{"epoch":"{E}"}}}}', "since.offset", id="no offset"),
        pytest.param('{"type":"subscribe","since":{"epoch":"x","offset":1}}', "since.epoch", id="epoch is no UUID"),
        *[
            pytest.param(f'{{"type":"subscribe","since":{{"epoch":"{E}","offset":{offset}}}}}', "since.offset")
            for offset in ("-1", "true", '"1"', "1.5", "NaN", "1e400", str(2**63))
        ],
        pytest.param(
            f'{{"type":"subscribe","since":{{"epoch":"{E}","offset":1,"x":1}}}}', "since.x", id="unknown field within"
        ),
    ],
)
def test_bad_frames_name_the_field(text: str, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        protocol.parse(text)
    assert caught.value.field in (field, "frame" if "NaN" in text or "1e400" in text else field)


@given(st.text() | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_anything_else_is_invalid_and_nothing_worse(text: str) -> None:
    with pytest.raises(Invalid):
        protocol.parse(text)


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (
            protocol.auth_success("c", W, "u", 1_700_000_000, 30_000),
            {
                "type": "auth_success",
                "client_id": "c",
                "workspace_id": str(W),
                "user_id": "u",
                "expires_at": "2023-11-14T22:13:20Z",
                "heartbeat_interval": 30_000,
            },
        ),
        (protocol.auth_failed("no"), {"type": "auth_failed", "message": "no"}),
        (
            protocol.subscribed(W, None, epoch=E, offset=7, recovered=True, replayed=2),
            {
                "type": "subscribed",
                "channel": f"alerts:{W}",
                "framework_id": None,
                "epoch": str(E),
                "offset": 7,
                "recovered": True,
                "replayed": 2,
            },
        ),
        (protocol.unsubscribed(W, F), {"type": "unsubscribed", "channel": f"alerts:{W}:{F}"}),
        (protocol.error("c", "m"), {"type": "error", "code": "c", "message": "m"}),
        (protocol.pong(), {"type": "pong"}),
    ],
)
def test_server_frames(frame: bytes, told: dict[str, object]) -> None:
    assert json.loads(frame) == told


@pytest.mark.parametrize(("expires_at", "told"), [(math.inf, None), (1e18, "9999-12-31T23:59:59Z")])
def test_times_beyond_the_calendar(expires_at: float, told: str | None) -> None:
    assert json.loads(protocol.auth_success("c", W, "u", expires_at, 1))["expires_at"] == told
