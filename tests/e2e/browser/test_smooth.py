"""However many alerts there are and however fast they change: the page has as many elements as are seen."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.bench.live.smooth import ELEMENTS, GROWTH_MIB, measure
from tests.bench.product import product
from tests.support.node import needs_dashboard


@needs_dashboard
@pytest.mark.long
def test_ten_thousand_alerts_that_change_a_hundred_times_a_second(browser: Browser) -> None:
    with product() as made:
        found = measure(made, browser, seconds=20)
    assert found.elements <= ELEMENTS
    assert found.growth_mib <= GROWTH_MIB
    assert all(phase.per_second > 1 for phase in found.phases), "it came to a standstill"
