"""However many alerts there are and however fast they change: the page has as many elements as are seen."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.bench.live import smooth
from tests.bench.product import product
from tests.support.node import needs_dashboard


@needs_dashboard
@pytest.mark.long
@pytest.mark.timeout(1200)
def test_ten_thousand_alerts_that_change_a_hundred_times_a_second(browser: Browser) -> None:
    with product() as made:
        found = smooth.measure(made, browser, rounds=2, seconds=10)
    assert [gate for gate in smooth.gates(found) if gate.met is False] == []
    for looks in found.changing.values():
        assert sum(look.changes for look in looks) > smooth.ALERTS / 20, "the page did not hear of the changes"
        assert min(look.per_second for look in looks) > 1, "it came to a standstill"
    assert all(look.changes == 0 for looks in found.still.values() for look in looks), "something changed meanwhile"
