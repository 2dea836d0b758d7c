"""The feed's decisions, without sockets or clocks; and, whatever is cut where, each offset once and in order."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_alerts.errors import FeedClosed, NotFound, Unreachable
from convex_alerts.live.items import Broadcast, Change, Gap, Item, Notified, Position, Snapshot, State
from convex_alerts.live.machine import Action, Fail, Give, Machine, Send, Step, Terms

ALERT = {
    "id": "a",
    "fingerprint": "f",
    "status": "firing",
    "severity": "critical",
    "alert_type": "threshold",
    "framework_id": "w",
    "title": "slow",
    "occurrences": 1,
    "triggered_at": "2026-01-01T00:00:00Z",
    "last_seen_at": "2026-01-01T00:00:00Z",
    "version": 1,
    "what a newer server tells": [1],
}


def welcome(**fields: Any) -> str:
    return json.dumps({"type": "auth_success", "client_id": "c", "expires_at": None, **fields})


def subscribed(offset: int, epoch: str = "e", *, recovered: bool = True, replayed: int = 0) -> str:
    frame = {"type": "subscribed", "epoch": epoch, "offset": offset, "recovered": recovered, "replayed": replayed}
    return json.dumps(frame)


def alert(offset: int) -> str:
    return json.dumps({"type": "alert", "event": "created", "offset": offset, "data": ALERT})


def told(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields})


def sent(actions: list[Action]) -> list[dict[str, Any]]:
    return [json.loads(action.text) for action in actions if isinstance(action, Send)]


def given_items(actions: list[Action]) -> list[Item]:
    return [action.item for action in actions if isinstance(action, Give)]


def error_of(actions: list[Action]) -> Exception:
    [fail] = [action for action in actions if isinstance(action, Fail)]
    return fail.error


def state_of(made: Machine) -> State:
    """Asked anew: mypy believes that a field stays as it was seen last."""
    return made.state


def machine(**more: Any) -> Machine:
    return Machine(draw=lambda: 1.0, **more)


def live(now: float = 0.0, offset: int = 0, **more: Any) -> Machine:
    """Connected, with nothing missed."""
    made = machine(**more)
    made.start()
    reconnect(made, now, offset)
    return made


def reconnect(made: Machine, now: float, offset: int, **more: Any) -> list[Action]:
    made.opened(now)
    return [*made.received(welcome(), now, 0.0), *made.received(subscribed(offset, **more), now, 0.0)]


def test_it_signs_in_then_subscribes_and_gives_what_comes() -> None:
    made = machine(framework_id="shop")
    assert made.start() == [Step.CONNECT]
    assert made.opened(0) == []
    assert sent(made.received(welcome(), 0, 0)) == [{"type": "subscribe", "framework_id": "shop"}]
    assert made.received(subscribed(7), 0, 0) == []
    assert state_of(made) is State.CONNECTED
    [change] = given_items(made.received(alert(9), 1, 0))
    assert isinstance(change, Change)
    assert (change.event, change.position, change.alert.title) == ("created", Position("e", 9), "slow")
    assert change.data == ALERT
    assert given_items(made.received(told("message", data=[1]), 1, 0)) == [Broadcast([1])]
    assert given_items(made.received(told("notification", data={}), 1, 0)) == [Notified({})]
    assert made.received(told("what a newer server says"), 1, 0) == []


def test_it_resumes_where_it_was() -> None:
    made = live(offset=7)
    made.received(alert(8), 0, 0)
    made.received(told("position", offset=11), 0, 0)
    made.lost(1, reason="cut")
    assert state_of(made) is State.RECONNECTING
    made.opened(2)
    [subscribe] = sent(made.received(welcome(), 2, 0))
    assert subscribe["since"] == {"epoch": "e", "offset": 11}


def test_a_cut_within_a_replay_resumes_within_it() -> None:
    made = live(offset=0)
    made.lost(1)
    reconnect(made, 2, 5, replayed=3)
    made.received(alert(2), 2, 0)
    assert made.position == Position("e", 2)
    made.received(told("position", offset=9), 2, 0)
    assert made.position == Position("e", 2), "what is behind the replay has not come yet"
    made.received(alert(3), 2, 0)
    made.received(alert(4), 2, 0)
    assert made.position == Position("e", 5), "the replay leads up to the offset that was told"


@pytest.mark.parametrize(("epoch", "recovered"), [("e", False), ("another", True), ("another", False)])
def test_what_is_too_old_is_a_gap_and_it_goes_on_behind_it(epoch: str, recovered: bool) -> None:
    made = live(offset=7)
    made.lost(1)
    actions = reconnect(made, 2, 900, epoch=epoch, recovered=recovered)
    assert given_items(actions) == [Gap(Position("e", 7), Position(epoch, 900))]
    assert given_items(made.received(alert(900), 2, 0)) == []
    assert len(given_items(made.received(alert(901), 2, 0))) == 1


@pytest.mark.parametrize("code", [4400, 4401, 4403, 4408, 4499])
def test_terminal_codes_end_it(code: int) -> None:
    made = live()
    error = error_of(made.lost(1, code=code, reason="no"))
    assert isinstance(error, FeedClosed)
    assert (error.code, made.state, made.next_at) == (code, State.FAILED, None)


@pytest.mark.parametrize("code", [None, 1000, 1006, 1012, 4500, 4502, 4508, 4509, 4510])
def test_other_codes_are_come_back_from(code: int | None) -> None:
    made = live()
    assert made.lost(1, code=code) == []
    assert made.next_at == 1.5
    assert made.due(1.5) == [Step.CONNECT]


def test_an_unknown_framework_ends_it() -> None:
    made = machine(framework_id="none")
    made.start()
    made.opened(0)
    made.received(welcome(), 0, 0)
    actions = made.received(told("error", code="not_found", message="framework_id: there is none"), 0, 0)
    assert isinstance(error_of(actions), NotFound)
    assert Step.DROP in actions


def test_pauses_grow_with_full_jitter_up_to_a_bound_and_attempts_are_ten() -> None:
    made = machine(terms=Terms(polling=False))
    made.start()
    pauses = []
    for _ in range(9):
        assert made.lost(0, reason="refused") == []
        assert made.next_at is not None
        pauses.append(made.next_at)
        made.due(made.next_at)
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    error = error_of(made.lost(0, reason="refused"))
    assert isinstance(error, Unreachable)
    assert "refused" in str(error)
    none = Machine(draw=lambda: 0.0)
    none.start()
    none.lost(5)
    assert none.next_at == 5


def test_attempts_are_counted_until_a_signed_in_connection_has_stayed() -> None:
    made = live(terms=Terms(stable=10))
    for round_ in range(1, 4):
        made.lost(0)
        assert made.failures == round_
        made.opened(0)
    reconnect(made, 0, 0)
    made.due(9.9)
    assert made.failures == 3, "it did not stay yet"
    made.due(10)
    assert made.failures == 0


@pytest.mark.parametrize("asked", [0, 7.5])
def test_a_restart_says_when_to_come_back(asked: float) -> None:
    made = live()
    made.received(told("error", code="restart", message="", retry_after=asked), 0, 0)
    made.lost(1, code=1012)
    assert made.next_at == 1 + asked + 0.5
    made.due(100)
    made.lost(100)
    assert made.next_at == 101, "it counts once"


def test_a_handshake_may_say_when_to_come_back() -> None:
    made = machine()
    made.start()
    made.lost(0, reason="HTTP 503", retry_after=4)
    assert made.next_at == 4.5


def test_it_pings_and_drops_what_does_not_answer() -> None:
    made = live(terms=Terms(ping=30, answer=15))
    assert sent(made.due(30)) == [{"type": "ping"}]
    made.received(told("pong"), 31, 0)
    assert made.due(59) == []
    assert sent(made.due(60)) == [{"type": "ping"}]
    assert made.due(74) == []
    assert made.due(75) == [Step.DROP]
    assert state_of(made) is State.RECONNECTING


def test_a_socket_on_which_nothing_is_said_is_dropped() -> None:
    made = machine()
    made.start()
    made.opened(0)
    assert made.due(14) == []
    assert made.due(15) == [Step.DROP]


def test_tokens_are_renewed_before_they_end() -> None:
    made = machine(can_renew=True)
    made.start()
    made.opened(0)
    made.received(welcome(expires_at="1970-01-01T00:10:00Z"), 0, 0)
    made.received(subscribed(0), 0, 0)
    assert Step.RENEW not in made.due(569.9)
    assert Step.RENEW in made.due(570)
    made.not_renewed(570)
    assert made.due(570.5) == [Step.RENEW]
    assert sent(made.renewed("new")) == [{"type": "auth", "token": "new"}]
    assert made.received(welcome(expires_at="1970-01-01T00:20:00Z"), 571, 571) == [], "it stays subscribed"
    assert Step.RENEW in made.due(1170)


def test_an_expired_token_is_replaced_at_once_or_ends_it() -> None:
    made = live(can_renew=True)
    assert made.lost(1, code=4501) == []
    assert made.failures == 0
    assert made.next_at == 1.5
    assert isinstance(error_of(live().lost(1, code=4501)), FeedClosed)


def test_a_store_that_is_away_is_told_until_something_comes() -> None:
    made = live()
    made.received(told("error", code="stale", message=""), 0, 0)
    assert state_of(made) is State.STALE
    made.received(told("position", offset=0), 0, 0)
    assert state_of(made) is State.CONNECTED
    made.received(told("error", code="stale", message=""), 0, 0)
    made.received(alert(1), 0, 0)
    assert state_of(made) is State.CONNECTED


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"type": "alert"}', '{"type":"subscribed","epoch":1}', alert(1)])
def test_what_cannot_be_read_drops_the_socket_and_counts(text: str) -> None:
    made = machine()
    made.start()
    made.opened(0)
    assert made.received(text, 0, 0) == [Step.DROP]
    assert made.failures == 1


def snapshot(offset: int) -> Snapshot:
    return Snapshot((), Position("e", offset))


def test_without_sockets_it_polls_and_goes_back_to_the_socket_without_a_hole() -> None:
    made = machine()
    made.start()
    made.lost(0)
    made.lost(0)
    assert state_of(made) is State.RECONNECTING
    made.lost(0)
    assert Step.POLL in made.due(0)
    assert given_items(made.polled(snapshot(5), 0)) == [snapshot(5)]
    assert state_of(made) is State.POLLING
    assert Step.POLL in made.due(5)
    assert given_items(made.polled(snapshot(5), 5)) == [], "nothing moved"
    assert given_items(made.polled(snapshot(8), 10)) == [snapshot(8)]
    for _ in range(20):
        assert made.lost(10) == [], "as long as it can be polled it goes on"
    made.opened(20)
    [subscribe] = sent(made.received(welcome(), 20, 0))
    assert subscribe["since"] == {"epoch": "e", "offset": 5}, "what came since the first look comes as changes"
    made.received(subscribed(8, replayed=3), 20, 0)
    assert state_of(made) is State.CONNECTED
    assert Step.POLL not in made.due(25)


def test_where_polling_fails_too_attempts_are_counted() -> None:
    made = machine()
    made.start()
    for _ in range(9):
        assert made.lost(0) == []
        made.polled(None, 0, "refused") if Step.POLL in made.due(0) else None
    assert isinstance(error_of(made.lost(0)), Unreachable)


def test_attempts_without_a_bound_never_end() -> None:
    made = machine(terms=Terms(attempts=None, polling=False))
    made.start()
    for _ in range(2000):
        assert made.lost(0) == []


def test_after_the_end_nothing_is_done_any_more() -> None:
    made = live()
    assert made.stop() == [Step.DROP]
    assert state_of(made) is State.CLOSED
    assert made.lost(1) == []
    assert made.received(alert(5), 1, 0) == []
    assert made.opened(1) == [Step.DROP]
    assert made.due(1e9) == []


@dataclass
class Service:
    """A gateway's feed of one framework: some of the workspace's offsets are its own; one socket at a time."""

    own: list[int] = field(default_factory=list)
    position: int = 0
    epoch: str = "e0"
    wire: list[str] = field(default_factory=list)

    def subscribe(self, since: dict[str, Any] | None) -> None:
        if since is None:
            self.wire.append(subscribed(self.position, self.epoch))
        elif since["epoch"] != self.epoch:
            self.wire.append(subscribed(self.position, self.epoch, recovered=False))
        else:
            missed = [offset for offset in self.own if offset > since["offset"]]
            self.wire.append(subscribed(self.position, self.epoch, replayed=len(missed)))
            self.wire.extend(map(alert, missed))

    def change(self, *, own: bool, live: bool) -> None:
        self.position += 1
        if own:
            self.own.append(self.position)
        if live:
            self.wire.append(alert(self.position) if own else told("position", offset=self.position))


STEPS = st.lists(st.sampled_from(["own", "other", "own", "read", "read", "read", "cut", "twice"]), max_size=60)


@given(STEPS)
def test_whatever_is_cut_where_each_offset_comes_once_and_in_order(steps: list[str]) -> None:
    service, made = Service(), machine(terms=Terms(attempts=None, polling=False))
    seen: list[int] = []
    is_live = False

    def deliver(text: str) -> None:
        nonlocal is_live
        actions = made.received(text, 0, 0)
        for frame in sent(actions):
            if frame["type"] == "subscribe":
                service.subscribe(frame.get("since"))
                is_live = True
        for item in given_items(actions):
            assert isinstance(item, Change)
            seen.append(item.position.offset)

    def connect() -> None:
        nonlocal is_live
        service.wire[:], is_live = [], False
        made.opened(0)
        deliver(welcome())

    made.start()
    connect()
    first = service.position
    for step in steps:
        match step:
            case "own" | "other":
                service.change(own=step == "own", live=is_live)
            case "read" if service.wire:
                deliver(service.wire.pop(0))
            case "twice" if service.wire and json.loads(service.wire[0])["type"] == "alert" and not made._replaying:
                deliver(service.wire[0])
            case "cut":
                if made.position is None:  # it never heard where it stands: it begins with the present again
                    first = service.position
                made.lost(0)
                connect()
    while service.wire:
        deliver(service.wire.pop(0))
    assert seen == [offset for offset in service.own if offset > first]
    assert made.position is not None
    assert made.position.offset == service.position
