"""The chart's dashboards as Grafana reads them: panels, their queries, and variables filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

DASHBOARDS = Path(__file__).resolve().parents[2] / "charts" / "convex-alerts" / "files" / "dashboards"
ALL = ".*"
"""What `$namespace` becomes where All is chosen."""
LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")
MATCHERS = re.compile(r"\{[^{}]*\}")
METRIC = re.compile(r"\b([a-z][a-z0-9_]+|ALERTS)\{")


@dataclass(frozen=True)
class Target:
    """A query of a panel."""

    ref: str
    expression: str
    legend: str
    instant: bool
    exemplars: bool
    datasource: Mapping[str, str]

    @property
    def legend_labels(self) -> list[str]:
        """Labels that name its series."""
        return LEGEND.findall(self.legend)

    @property
    def selectors(self) -> list[tuple[str, str]]:
        """Each metric with its matchers."""
        return [
            (metric, match.group())
            for metric, match in (
                (found.group(1), MATCHERS.match(self.expression, found.end() - 1))
                for found in METRIC.finditer(self.expression)
            )
            if match is not None
        ]


@dataclass(frozen=True)
class Panel:
    """A panel that shows data; printed as a person would look for it."""

    dashboard: str
    body: Mapping[str, Any]

    @property
    def title(self) -> str:
        return str(self.body["title"])

    @property
    def kind(self) -> str:
        return str(self.body["type"])

    @property
    def place(self) -> tuple[int, int, int, int]:
        """Left, top, width, height."""
        place = self.body["gridPos"]
        return place["x"], place["y"], place["w"], place["h"]

    @property
    def targets(self) -> list[Target]:
        return [
            Target(
                one["refId"],
                one["expr"],
                one.get("legendFormat", ""),
                one.get("instant", False),
                one.get("exemplar", False),
                one["datasource"],
            )
            for one in self.body.get("targets", ())
        ]

    @property
    def properties(self) -> Iterator[tuple[str, Any]]:
        """Overridden properties of all fields."""
        for override in self.body["fieldConfig"]["overrides"]:
            for one in override["properties"]:
                yield one["id"], one["value"]

    def __str__(self) -> str:
        return f"{self.dashboard} / {self.title}"


@dataclass(frozen=True)
class Dashboard:
    """One file."""

    name: str
    body: Mapping[str, Any]

    @property
    def panels(self) -> list[Panel]:
        """Without the rows."""
        return [Panel(self.name, body) for body in self.body["panels"] if body["type"] != "row"]

    @property
    def variables(self) -> dict[str, Mapping[str, Any]]:
        return {one["name"]: one for one in self.body["templating"]["list"]}


def dashboards() -> list[Dashboard]:
    """All that the chart has."""
    return [Dashboard(path.stem, json.loads(path.read_text())) for path in sorted(DASHBOARDS.glob("*.json"))]


@dataclass(frozen=True)
class View:
    """What a person looks at: a time range and a namespace. Seconds; `scrape` is the panels' least interval."""

    range: int = 3600
    namespace: str = ALL
    scrape: int = 30
    points: int = 1000

    @property
    def interval(self) -> int:
        """Between two points, as Grafana chooses it."""
        return max(self.scrape, self.range // self.points)

    def filled(self, expression: str) -> str:
        """With every variable in place; AssertionError where one is left that Grafana would not know."""
        rate_interval = max(self.interval + self.scrape, 4 * self.scrape)
        known = {
            "__rate_interval": f"{rate_interval}s",
            "__interval": f"{self.interval}s",
            "__range": f"{self.range}s",
            "namespace": self.namespace,
        }
        done = re.sub(r"\$(\w+)", lambda found: known.get(found.group(1), found.group()), expression)
        assert not re.search(r"\$[a-z_{]", done), f"not known to the dashboards: {done}"
        return done

    def of(self, namespace: str) -> View:
        """The same of another namespace."""
        return replace(self, namespace=namespace)
