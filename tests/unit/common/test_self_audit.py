"""What the self-audit does is in nobody's figures."""

from __future__ import annotations

import uuid

from convex_common.domain.self_audit import WORKSPACE, of_people
from convex_common.measures import ALERT_LATENCY, CACHE_HITS, WS_CLIENTS, Measures


def test_nothing_is_measured_of_its_workspace() -> None:
    measures, somebodys = Measures(), uuid.uuid4()
    for workspace_id in (WORKSPACE, somebodys):
        measures.count(workspace_id, CACHE_HITS)
        measures.observe(workspace_id, ALERT_LATENCY, 7.0)
        measures.rise(workspace_id, WS_CLIENTS)
    assert set(measures.levels()) == {(somebodys, WS_CLIENTS)}
    deltas = measures.take()
    assert {key[0] for key in (*deltas.counts, *deltas.distributions)} == {somebodys}


def test_every_other_workspace_is_peoples() -> None:
    assert of_people(uuid.uuid4())
    assert not of_people(uuid.UUID(str(WORKSPACE)))
