"""Payloads survive the wire, and what is none of theirs is refused by name."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.contracts import (
    CONTRACTS,
    DELIVERIES_DUE,
    EVENTS_ACCEPTED,
    JOB_DUE,
    PREDICTION_DUE,
    QUEUES,
    Contract,
    DeliveryIds,
    EventsAccepted,
    JobDue,
)
from convex_common.domain.fingerprint import SHARDS
from convex_common.errors import Invalid

ID = "0197a000-0000-7000-8000-000000000001"
shards = st.lists(st.integers(0, SHARDS - 1), min_size=1, max_size=SHARDS).map(lambda s: EventsAccepted(tuple(s)))
deliveries = st.lists(st.uuids().map(str), min_size=1, max_size=100).map(lambda ids: DeliveryIds(tuple(ids)))
jobs = st.builds(JobDue, st.just("cleanup"), st.datetimes().map(lambda at: f"{at.isoformat()}Z"))


def over_the_wire(data: dict[str, Any]) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(json.dumps(data))
    return decoded


@given(shards)
def test_shards_survive_the_wire(payload: EventsAccepted) -> None:
    assert EVENTS_ACCEPTED.decode(over_the_wire(EVENTS_ACCEPTED.encode(payload))) == payload


@given(deliveries)
def test_delivery_ids_survive_the_wire(payload: DeliveryIds) -> None:
    assert DELIVERIES_DUE.decode(over_the_wire(DELIVERIES_DUE.encode(payload))) == payload


@given(jobs)
def test_jobs_survive_the_wire(payload: JobDue) -> None:
    assert JOB_DUE.decode(over_the_wire(JOB_DUE.encode(payload))) == payload
    assert PREDICTION_DUE.decode(over_the_wire(PREDICTION_DUE.encode(payload))) == payload


@pytest.mark.parametrize(
    ("contract", "data", "told"),
    [
        pytest.param(EVENTS_ACCEPTED, {}, "missing required field `shards`", id="missing"),
        pytest.param(EVENTS_ACCEPTED, {"shards": [1], "hue": 3}, "unknown field 'hue'", id="unknown"),
        pytest.param(EVENTS_ACCEPTED, {"shards": "1"}, "Expected `array`", id="wrong type"),
        pytest.param(EVENTS_ACCEPTED, {"shards": [True]}, "Expected `int`", id="a switch is no number"),
        pytest.param(EVENTS_ACCEPTED, {"shards": [SHARDS]}, "$.shards[0]", id="shard beyond the last"),
        pytest.param(EVENTS_ACCEPTED, {"shards": []}, "length >= 1", id="empty"),
        pytest.param(DELIVERIES_DUE, {"ids": [ID] * 101}, "length <= 100", id="too many"),
        pytest.param(DELIVERIES_DUE, {"ids": ["1; DROP"]}, "$.ids[0]", id="no id"),
        pytest.param(JOB_DUE, {"job": "Clean Up", "slot": "2030-01-01T00:00:00Z"}, "$.job", id="no job name"),
        pytest.param(JOB_DUE, {"job": "cleanup", "slot": "tomorrow"}, "$.slot", id="no time"),
    ],
)
def test_what_breaks_a_contract_is_refused(contract: Contract[Any], data: dict[str, Any], told: str) -> None:
    with pytest.raises(Invalid) as refused:
        contract.decode(data)
    assert refused.value.field == contract.name
    assert told in str(refused.value)


def test_a_sender_is_told_too() -> None:
    with pytest.raises(Invalid, match="length <= 100"):
        DELIVERIES_DUE.encode(DeliveryIds(tuple(str(uuid.uuid4()) for _ in range(101))))


@given(shards, shards)
def test_merged_hints_name_every_shard_once(one: EventsAccepted, other: EventsAccepted) -> None:
    merged = one.merged(other)
    assert list(merged.shards) == sorted({*one.shards, *other.shards})


def test_names_and_queues_are_distinct() -> None:
    assert len({contract.name for contract in CONTRACTS}) == len(CONTRACTS)
    assert QUEUES == ("alert", "notification", "analytics", "prediction")


WRONG = """
from convex_common.contracts import DELIVERIES_DUE, EVENTS_ACCEPTED, JOB_DUE, DeliveryIds, EventsAccepted, JobDue
from convex_common.redis.async_sender import AsyncSender
from convex_common.redis.broker import Sender

def send(sender: Sender, hints: AsyncSender) -> None:
    sender.send(EVENTS_ACCEPTED, EventsAccepted((1,)))
    hints.hint(EVENTS_ACCEPTED, EventsAccepted((1,)))
    EVENTS_ACCEPTED.encode(DeliveryIds(("a",)))  # refused
    sender.send(EVENTS_ACCEPTED, JobDue("a", "b"))  # refused
    sender.send("events_accepted", EventsAccepted((1,)))  # refused
    hints.hint(JOB_DUE, JobDue("a", "b"))  # refused
"""


def test_mypy_refuses_the_wrong_payload(tmp_path: Path) -> None:
    source = tmp_path / "wrong.py"
    source.write_text(WRONG)
    root = Path(__file__).resolve().parents[3]
    options = ["--strict", "--no-error-summary", "--cache-dir", str(tmp_path / "cache")]
    command = [sys.executable, "-m", "mypy", *options, str(source)]
    checked = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    refused = {int(line.split(":")[1]) for line in checked.stdout.splitlines() if " error: " in line}
    expected = {n for n, line in enumerate(WRONG.splitlines(), 1) if line.endswith("# refused")}
    assert refused == expected, checked.stdout + checked.stderr
