"""`convex admin retention`: a workspace's own terms, shown, changed, taken away, and on its audit log."""

from __future__ import annotations

import pytest

from tests.support.admin import admin_of
from tests.support.jobs import rows
from tests.support.postgres import Store

pytestmark = pytest.mark.timeout(120)


def test_terms_are_changed_shown_and_taken_away(store: Store) -> None:
    shown = admin_of(store, "retention", "show", "test")
    assert shown.out.splitlines() == [f"{kind}: as the installation" for kind in KINDS]
    changed = admin_of(store, "retention", "set", "test", "--observations", "7", "--log", "30")
    assert changed.out.splitlines()[:2] == ["observations: 7 days", "log: 30 days"]
    again = admin_of(store, "retention", "set", "test", "--log", "0", "--alerts", "90")
    assert again.out.splitlines() == [
        "observations: 7 days", "log: as the installation", "alerts: 90 days", "statistics: as the installation",
    ]  # fmt: skip
    assert admin_of(store, "retention", "show", "test").out == again.out
    acts = rows(store, "SELECT actor, action, subject, detail FROM audit_log ORDER BY sequence")
    assert [(act["action"], act["subject"]) for act in acts] == [
        ("retention.changed", f"workspace:{store.workspace_id}")
    ] * 2
    assert acts[1]["detail"] == {"observations": 7, "log": None, "alerts": 90, "statistics": None}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        pytest.param(("set", "test", "--log", "2"), "log: 2 is too short; give 3 days or more", id="too short"),
        pytest.param(("show", "nowhere"), "nowhere: there is no such workspace", id="no such workspace"),
    ],
)
def test_what_is_wrong_is_one_line(store: Store, arguments: tuple[str, ...], line: str) -> None:
    ran = admin_of(store, "retention", *arguments)
    assert ran.code == 2
    assert ran.err.startswith(line)
    assert rows(store, "SELECT FROM workspace_retention") == []


KINDS = ("observations", "log", "alerts", "statistics")
