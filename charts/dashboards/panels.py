"""What panels look like. Blue tells, green is well, orange wants a look soon, red wants somebody now."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import common as parts
from grafana_foundation_sdk.builders import heatmap as heat
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.builders.dashboard import FieldColor as Colour
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig as Thresholds
from grafana_foundation_sdk.models import common, dashboard, heatmap
from grafana_foundation_sdk.models.dashboard import DataSourceRef, DynamicConfigValue, Threshold, ValueMappingResult
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from charts.dashboards import limits, promql

GREEN, ORANGE, RED, BLUE, GREY = "green", "orange", "red", "blue", "text"
PALE, DARK = "light-blue", "purple"
STATES: Final = {
    "active": BLUE,
    "waiting": PALE,
    "delayed": ORANGE,
    "completed": GREEN,
    "skipped": GREY,
    "failed": RED,
    "delivered": GREEN,
    "retry": ORANGE,
    "quarantined": "dark-red",
    "p50": PALE,
    "p95": BLUE,
    "p99": DARK,
}
"""The colour of a thing is the same on every dashboard."""
SCRAPE: Final = "30s"
"""The least step of a panel. Rates are over four of them, in which even a scrape a minute has two values."""
DATASOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
RUNBOOKS: Final = "https://github.com/convex-alerts/convex-alerts/blob/main/docs/runbooks"

Steps = Sequence[tuple[float, str]]
LATENCY_STEPS: Final[Steps] = ((limits.LATENCY_MS[0], ORANGE), (limits.LATENCY_MS[1], RED))
Panel = stat.Panel | timeseries.Panel | table.Panel | statetimeline.Panel | heat.Panel
AnyPanel = TypeVar("AnyPanel", stat.Panel, timeseries.Panel, table.Panel, statetimeline.Panel, heat.Panel)


@dataclass(frozen=True, slots=True)
class Query:
    """An expression and how its series are named; with `exemplars` its points lead to traces."""

    expression: str
    legend: str = "__auto"
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: a label, or the value of the query at the same place. `steps` and `texts` colour it."""

    title: str
    unit: str | None = None
    decimals: int | None = None
    steps: Steps = ()
    texts: Mapping[str, tuple[str, str]] | None = None
    link: tuple[str, str] | None = None
    width: int | None = None


def figure(
    title: str,
    told: str,
    expression: str,
    *,
    unit: str = "short",
    steps: Steps = (),
    base: str = GREEN,
    empty: str = "no data",
    decimals: int | None = None,
    texts: Mapping[str, tuple[str, str]] | None = None,
) -> stat.Panel:
    """The number of this moment, coloured by the steps it has passed; `empty` says what it means that there is none.

    It is asked for as of now: the last one of a range would still shine when its source is long dead.
    """
    panel = (
        _framed(stat.Panel(), title, told, unit)
        .with_target(_target(Query(expression), 0).instant())
        .thresholds(_steps(steps, base))
        .color_scheme(Colour().mode(dashboard.FieldColorModeId.THRESHOLDS))
        .color_mode(common.BigValueColorMode.BACKGROUND if steps else common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .text_mode(common.BigValueTextMode.VALUE)
        .reduce_options(parts.ReduceDataOptions().calcs(["lastNotNull"]))
        .no_value(empty)
    )
    if texts:
        panel = panel.mappings([_mapping(texts)])
    return panel if decimals is None else panel.decimals(decimals)


def quantiles(histogram: str, *matchers: str) -> list[Query]:
    """The usual three; the points of one of them lead to traces, since all three have the same."""
    return [
        Query(promql.quantile(part, histogram, *matchers), name, exemplars=name == "p95")
        for part, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
    ]


def series(
    title: str,
    told: str,
    *queries: Query,
    unit: str = "short",
    lines: Steps = (),
    stacked: bool = False,
    colours: Mapping[str, str] = STATES,
    least: float | None = 0,
    most: float | None = None,
) -> timeseries.Panel:
    """Curves over time, with a dashed line at each limit, and a table of them that begins with the highest."""
    shown = parts.VizLegendOptions().show_legend(True).display_mode(common.LegendDisplayMode.TABLE)
    panel = (
        _with_targets(_framed(timeseries.Panel(), title, told, unit), queries)
        .legend(
            shown.placement(common.LegendPlacement.BOTTOM)
            .calcs(["lastNotNull", "max"])
            .sort_by("Last *")
            .sort_desc(True)
        )
        .tooltip(parts.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING))
        .color_scheme(Colour().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC))
        .line_width(2)
        .fill_opacity(40 if stacked else 8)
        .show_points(common.VisibilityMode.AUTO)
    )
    if least is not None:
        panel = panel.min(least)
    if most is not None:
        panel = panel.max(most)
    if stacked:
        panel = panel.stacking(parts.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if lines:
        style = parts.GraphThresholdsStyleConfig().mode(common.GraphTresholdsStyleMode.DASHED)
        panel = panel.thresholds(_steps(lines, "transparent")).thresholds_style(style)
    for name, colour in colours.items():
        if any(query.legend == name or query.legend.startswith("{{") for query in queries):
            panel = panel.override_by_name(name, [_fixed(colour)])
    return panel


def buckets(title: str, told: str, expression: str, *, unit: str) -> heat.Panel:
    """How many observations fell into which bucket, over time."""
    target = _target(Query(expression, "{{le}}", exemplars=True), 0).format(PromQueryFormat.HEATMAP)
    return (
        _framed(heat.Panel(), title, told, unit)
        .with_target(target)
        .color(
            heat.HeatmapColorOptions()
            .mode(heatmap.HeatmapColorMode.SCHEME)
            .scheme("Blues")
            .fill(BLUE)
            .scale(heatmap.HeatmapColorScale.EXPONENTIAL)
            .exponent(0.5)
            .steps(32)
        )
        .y_axis(heat.YAxisConfig().unit(unit).decimals(0))
        .show_tooltip()
        .exemplars_color("rgba(255,120,10,0.8)")
    )


def states(title: str, told: str, query: Query, texts: Mapping[str, tuple[str, str]]) -> statetimeline.Panel:
    """Bands that say in which state each thing was; `texts` has the word and the colour of each value."""
    return (
        _framed(statetimeline.Panel(), title, told, "short")
        .with_target(_target(query, 0))
        .mappings([_mapping(texts)])
        .color_scheme(Colour().mode(dashboard.FieldColorModeId.FIXED).fixed_color(GREY))
        .merge_values(True)
        .show_value(common.VisibilityMode.NEVER)
        .row_height(0.8)
        .legend(parts.VizLegendOptions().show_legend(True).display_mode(common.LegendDisplayMode.LIST))
    )


def listing(
    title: str,
    told: str,
    queries: Sequence[str],
    columns: Mapping[str, Column],
    *,
    sort: str | None = None,
    descending: bool = True,
    empty: str = "nothing",
) -> table.Panel:
    """A row for each set of labels. `columns`, in their order, are labels or `Value #A` …; others are left out."""
    order = {name: place for place, name in enumerate(columns)}
    renamed = {name: column.title for name, column in columns.items()}
    panel = (
        _framed(table.Panel(), title, told, "short")
        .with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            dashboard.DataTransformerConfig(id_val="filterFieldsByName", options={"include": {"names": list(columns)}})
        )
        .with_transformation(
            dashboard.DataTransformerConfig(
                id_val="organize", options={"excludeByName": {}, "indexByName": order, "renameByName": renamed}
            )
        )
        .color_scheme(Colour().mode(dashboard.FieldColorModeId.FIXED).fixed_color(GREY))
        .no_value(empty)
    )
    for place, expression in enumerate(queries):
        panel = panel.with_target(_target(Query(expression), place).instant().format(PromQueryFormat.TABLE))
    if sort is not None:
        panel = panel.sort_by([parts.TableSortByFieldState().display_name(sort).desc(descending)])
    for column in columns.values():
        if shown := _shown(column):
            panel = panel.override_by_name(column.title, shown)
    return panel


def _framed(panel: AnyPanel, title: str, told: str, unit: str) -> AnyPanel:
    return panel.title(title).description(told).unit(unit).datasource(DATASOURCE).interval(SCRAPE)


def _with_targets(panel: AnyPanel, queries: Sequence[Query]) -> AnyPanel:
    for place, query in enumerate(queries):
        panel = panel.with_target(_target(query, place))
    return panel


def _target(query: Query, place: int) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expression).ref_id(chr(ord("A") + place)).datasource(DATASOURCE)
    target = target.legend_format(query.legend).interval(SCRAPE).range()
    return target.exemplar(True) if query.exemplars else target


def _steps(steps: Steps, base: str) -> Thresholds:
    given = [Threshold(value=None, color=base), *itertools.starmap(_threshold, steps)]
    return Thresholds().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(given)


def _threshold(value: float, colour: str) -> Threshold:
    return Threshold(value=value, color=colour)


def _mapping(texts: Mapping[str, tuple[str, str]]) -> dashboard.ValueMap:
    results = {
        value: ValueMappingResult(text=text, color=colour, index=place)
        for place, (value, (text, colour)) in enumerate(texts.items())
    }
    return dashboard.ValueMap(results)


def _fixed(colour: str) -> DynamicConfigValue:
    return DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})


def _shown(column: Column) -> list[DynamicConfigValue]:
    shown = []
    if column.unit:
        shown.append(DynamicConfigValue("unit", column.unit))
    if column.decimals is not None:
        shown.append(DynamicConfigValue("decimals", column.decimals))
    if column.width:
        shown.append(DynamicConfigValue("custom.width", column.width))
    if column.steps:
        shown.append(DynamicConfigValue("thresholds", _steps(column.steps, GREEN).build()))
        shown.append(DynamicConfigValue("color", {"mode": "thresholds"}))
    if column.texts:
        shown.append(DynamicConfigValue("mappings", [_mapping(column.texts)]))
    if column.steps or column.texts:
        shown.append(DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
    if column.link:
        title, url = column.link
        shown.append(DynamicConfigValue("links", [DashboardLink(title).url(url).target_blank(True).build()]))
    return shown
