"""What surrounds every dashboard: its variables, its links to the others and to the runbooks, and fired alerts."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from charts.dashboards.panels import DATASOURCE, RUNBOOKS, Panel
from charts.dashboards.promql import DEAD_MAN, FIRING

TAG: Final = "convex-alerts"
SCHEMA: Final = 38
"""Of Grafana 10.1; later ones migrate it when they load it."""
WIDTH: Final = 24


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side, of one height; each as wide as the others, or as `widths` says."""

    title: str
    panels: Sequence[Panel]
    height: int = 8
    widths: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard: the name of its file, the question that it answers, and its rows."""

    name: str
    title: str
    answers: str
    rows: Sequence[Row]
    since: str = "now-1h"

    @property
    def uid(self) -> str:
        """By which links find it; it never changes."""
        return f"{TAG}-{self.name}"

    def as_json(self) -> str:
        """The file's content, the same whenever it is made."""
        return json.dumps(self._encoded(), indent=2, sort_keys=True) + "\n"

    def _encoded(self) -> dict[str, Any]:
        made = self._made()
        made.schema_version = SCHEMA
        encoded: dict[str, Any] = json.loads(JSONEncoder().encode(made))
        encoded["annotations"]["list"].append(_fired())
        return encoded

    def _made(self) -> dashboard.Dashboard:
        board = (
            build.Dashboard(f"Convex Alerts / {self.title}")
            .uid(self.uid)
            .description(self.answers)
            .tags([TAG])
            .timezone("browser")
            .time(self.since, "now")
            .refresh("30s")
            .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
            .annotations([])
            .with_variable(_datasource())
            .with_variable(_namespace())
            .link(_others())
            .link(_runbooks())
        )
        numbers = itertools.count(1)
        for row in self.rows:
            board = board.with_row(build.Row(row.title).id(next(numbers)))
            for panel, width in zip(row.panels, _widths(row), strict=True):
                board = board.with_panel(panel.id(next(numbers)).span(width).height(row.height))
        return board.build()


def _widths(row: Row) -> Sequence[int]:
    return row.widths or [WIDTH // len(row.panels)] * len(row.panels)


def _datasource() -> build.DatasourceVariable:
    default = dashboard.VariableOption(text="default", value="default", selected=True)
    return build.DatasourceVariable("datasource").label("Data source").type("prometheus").current(default)


def _namespace() -> build.QueryVariable:
    every = dashboard.VariableOption(text=["All"], value=["$__all"], selected=True)
    return (
        build.QueryVariable("namespace")
        .label("Namespace")
        .description("Where the installations are. All, where Prometheus knows no namespaces.")
        .datasource(DATASOURCE)
        .query(
            {
                "qryType": 1,
                "query": "label_values(convex_build_info, namespace)",
                "refId": "PrometheusVariableQueryEditor-VariableQuery",
            }
        )
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(every)
    )


def _others() -> build.DashboardLink:
    link = build.DashboardLink("Convex Alerts").type(dashboard.DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.as_dropdown(False).include_vars(True).keep_time(True)


def _runbooks() -> build.DashboardLink:
    link = build.DashboardLink("Runbooks").type(dashboard.DashboardLinkType.LINK).icon("doc").url(RUNBOOKS)
    return link.tooltip("What to do about each alert").target_blank(True)


def _fired() -> dict[str, Any]:
    """Written out: the builders know no titles of annotations."""
    return {
        "datasource": DATASOURCE.to_json(),
        "enable": True,
        "expr": f"ALERTS{{{FIRING}}} unless on (alertname) {DEAD_MAN}",
        "iconColor": "red",
        "name": "Alerts",
        "tagKeys": "severity",
        "textFormat": "{{severity}}",
        "titleFormat": "{{alertname}}",
    }
