"""`convex rules`: what decides on observations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from convex_alerts.cli import documents, names, output
from convex_alerts.cli.command import Session, application, command

app = application("What decides on observations: list, show, create, edit, enable, disable, delete.")

Rule = Annotated[str, typer.Argument(metavar="NAME|ID", autocompletion=names.completing("rules"))]
File = Annotated[Path | None, typer.Option("--file", "-f", help="A YAML or JSON file of fields; `-` reads stdin.")]
Framework = Annotated[str | None, typer.Option(help="Its name or id.", autocompletion=names.completing("frameworks"))]
Metric = Annotated[str | None, typer.Option(help="What is observed.")]
Above = Annotated[float | None, typer.Option(help="Fires above this value.")]
Below = Annotated[float | None, typer.Option(help="Fires below this value.")]
Equals = Annotated[float | None, typer.Option(help="Fires at this value.")]
ChangesBy = Annotated[float | None, typer.Option(help="Fires where it changes by so many percent.")]
Window = Annotated[str | None, typer.Option(help="Aggregate over this time: 90s, 5m, 1h.")]
Aggregation = Annotated[str | None, typer.Option(help="avg, min, max, sum, count, …; avg with a window.")]
For = Annotated[str | None, typer.Option("--for", help="How long it must hold before it fires: 2m.")]
Clear = Annotated[float | None, typer.Option(help="The value at which it clears.")]
Suppression = Annotated[str | None, typer.Option(help="How long repeats are folded without telling: 5m.")]
Severity = Annotated[str | None, typer.Option(help="info, warning, error or critical.")]
Labels = Annotated[list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help="May be repeated.")]
Channels = Annotated[
    list[str] | None,
    typer.Option("--channel", help="Its name or id; may be repeated.", autocompletion=names.completing("channels")),
]


def _when(row: output.Row) -> str:
    """The condition in words: `avg of latency over 300 s above 500 for 60 s`."""
    over = f"{row['aggregation']} of {row['metric']} over {row['window_seconds']} s" if row["window_seconds"] else None
    limit = row["change_percentage"] if row["condition"] == "changes_by" else row["threshold_value"]
    unit = " %" if row["condition"] == "changes_by" else ""
    holds = f" for {row['for_seconds']} s" if row["for_seconds"] else ""
    return f"{over or row['metric']} {row['condition'].replace('_', ' ')} {output.cell(limit)}{unit}{holds}"


COLUMNS: list[output.Column] = [
    ("name", "name"),
    ("on", "enabled"),
    ("severity", "severity"),
    ("id", "id"),
    ("when", _when),
]
READ_ONLY = ("id", "framework_id", "created_at", "updated_at", "version")


@command(app, "list")
def list_(
    session: Session,
    framework: Framework = None,
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled", help="Only these.")] = None,
) -> None:
    """List the rules, the oldest first."""
    rows = session.client.items("rules", framework_id=_framework(session, framework), enabled=enabled)
    output.listing(rows, COLUMNS, as_json=session.as_json, nothing="no rules")


@command(app)
def show(session: Session, rule: Rule) -> None:
    """Show a rule."""
    output.thing(session.client.get(f"rules/{_id(session, rule)}"), as_json=session.as_json)


@command(app)
def create(
    session: Session,
    name: Annotated[str | None, typer.Argument()] = None,
    file: File = None,
    framework: Framework = None,
    metric: Metric = None,
    above: Above = None,
    below: Below = None,
    equals: Equals = None,
    changes_by: ChangesBy = None,
    window: Window = None,
    aggregation: Aggregation = None,
    for_: For = None,
    clear: Clear = None,
    suppression: Suppression = None,
    severity: Severity = None,
    label: Labels = None,
    channel: Channels = None,
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled", help="Enabled by default.")] = None,
) -> None:
    """Make a rule, from a file, from options, or both: options win."""
    told = _fields(
        name=name, framework=framework, metric=metric, above=above, below=below, equals=equals, changes_by=changes_by,
        window=window, aggregation=aggregation, for_=for_, clear=clear, suppression=suppression, severity=severity,
        label=label, channel=channel, enabled=enabled,
    )  # fmt: skip
    fields = {**documents.read(file), **told}
    if not fields:
        raise typer.BadParameter("say what rule: --file, or NAME, --framework, --metric and --above or the like")
    made = session.client.create("rules", documents.with_ids(session, fields))
    output.thing(made, as_json=session.as_json)


@command(app)
def edit(
    session: Session,
    rule: Rule,
    file: File = None,
    rename: Annotated[str | None, typer.Option(help="What it is called from now on.")] = None,
    metric: Metric = None,
    above: Above = None,
    below: Below = None,
    equals: Equals = None,
    changes_by: ChangesBy = None,
    window: Window = None,
    aggregation: Aggregation = None,
    for_: For = None,
    clear: Clear = None,
    suppression: Suppression = None,
    severity: Severity = None,
    label: Labels = None,
    channel: Channels = None,
) -> None:
    """Change a rule: what options or a file name, or by your EDITOR where there are none."""
    rule_id = _id(session, rule)
    told = _fields(
        name=rename, metric=metric, above=above, below=below, equals=equals, changes_by=changes_by, window=window,
        aggregation=aggregation, for_=for_, clear=clear, suppression=suppression, severity=severity, label=label,
        channel=channel,
    )  # fmt: skip
    fields = {**documents.read(file), **told}
    if not fields and file is None:
        before = session.client.get(f"rules/{rule_id}")
        shown = {name: value for name, value in before.items() if name not in READ_ONLY}
        fields = documents.edited(shown, f"the rule {before['name']}")
        if not fields:
            typer.echo("nothing was changed", err=True)
            return
    output.thing(
        session.client.change(f"rules/{rule_id}", documents.with_ids(session, fields)), as_json=session.as_json
    )


@command(app)
def enable(session: Session, rule: Rule) -> None:
    """Let a rule decide again."""
    output.thing(session.client.change(f"rules/{_id(session, rule)}", {"enabled": True}), as_json=session.as_json)


@command(app)
def disable(session: Session, rule: Rule) -> None:
    """Let a rule decide no more; its open alerts are resolved."""
    output.thing(session.client.change(f"rules/{_id(session, rule)}", {"enabled": False}), as_json=session.as_json)


@command(app)
def delete(session: Session, rule: Rule) -> None:
    """Delete a rule; its open alerts are resolved."""
    rule_id = _id(session, rule)
    session.client.delete(f"rules/{rule_id}")
    if session.as_json:
        output.document({"deleted": rule_id})


def _id(session: Session, rule: str) -> str:
    return names.id_of(session, "rules", rule)


def _framework(session: Session, framework: str | None) -> str | None:
    return names.id_of(session, "frameworks", framework) if framework else None


def _fields(
    *,
    above: float | None,
    below: float | None,
    equals: float | None,
    changes_by: float | None,
    window: str | None,
    for_: str | None,
    clear: float | None,
    suppression: str | None,
    label: list[str] | None,
    channel: list[str] | None,
    **same: Any,
) -> dict[str, Any]:
    """What the options say, in the API's words."""
    limits = {"above": above, "below": below, "equals": equals, "changes_by": changes_by}
    chosen = [(condition, limit) for condition, limit in limits.items() if limit is not None]
    if len(chosen) > 1:
        raise typer.BadParameter("a rule has one condition: --above, --below, --equals or --changes-by")
    fields: dict[str, Any] = {
        **same,
        "window_seconds": names.seconds(window),
        "for_seconds": names.seconds(for_),
        "clear_value": clear,
        "suppression_seconds": names.seconds(suppression),
        "labels": names.pairs(label) or None,
        "channels": channel or None,
    }
    for condition, limit in chosen:
        fields["condition"] = condition
        fields["change_percentage" if condition == "changes_by" else "threshold_value"] = limit
    return {name: value for name, value in fields.items() if value is not None}
