"""Keeps the demo's traffic going, whatever the gateway goes through."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from convex_alerts.client import Client, Observation
from convex_alerts.errors import ConvexAlertsError, Invalid, NotFound
from convex_dev.demo import scenario

SEED = 7


class Traffic:
    """Sends every series each second. What cannot be sent is left out: the demo shows the present."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._began = clock()
        self._frameworks: Mapping[str, str] | None = None

    def tick(self) -> bool:
        """Send the present second's values, setting the scene first where it is missing; whether that worked."""
        try:
            if self._frameworks is None:
                self._frameworks = set_scene(self._client)
            self._client.observe(
                observations(self._frameworks, int(self._clock() - self._began), SEED, datetime.now(UTC))
            )
        except (Invalid, NotFound) as error:
            self._frameworks = None  # somebody deleted a framework, perhaps: look again
            _warn(error)
            return False
        except ConvexAlertsError as error:
            _warn(error)
            return False
        return True

    def run(self) -> None:
        """Tick each second, for ever; a failed tick is followed by a pause of up to 10 s."""
        failures = 0
        while True:
            failures = 0 if self.tick() else failures + 1
            passed = (self._clock() - self._began) % 1
            time.sleep(1 - passed + min(failures, 10) * (failures > 0))


def set_scene(client: Client) -> dict[str, str]:
    """Frameworks, channel and rules exist afterwards, found by name or made; the frameworks' ids by name."""
    frameworks = {str(body["name"]): str(client.ensure("frameworks", body)["id"]) for body in scenario.FRAMEWORKS}
    client.ensure("channels", scenario.CHANNEL)
    for rule in scenario.RULES:
        framework_id = frameworks[rule["framework"]]
        client.ensure("rules", scenario.rule_body(rule, framework_id), framework_id=framework_id)
    return frameworks


def observations(frameworks: Mapping[str, str], second: int, seed: int, now: datetime) -> list[Observation]:
    """What every series shows at a second since the start."""
    return [
        Observation(frameworks[series.framework], series.metric, series.value(second, seed), series.labels, now)
        for series in scenario.SERIES
    ]


def _warn(error: Exception) -> None:
    sys.stderr.write(f"demo: {error}\n")
    sys.stderr.flush()
