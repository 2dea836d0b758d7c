"""`convex alerts`: what is wrong, and what people do with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any

import typer

from convex_alerts.cli import names, output
from convex_alerts.cli.command import FAILED, Session, application, command

app = application("What is wrong: list, show, watch live, acknowledge, resolve, snooze, assign.")

MOST = 500


class Verdict(StrEnum):
    """What one may say of an alert."""

    USEFUL = "useful"
    FALSE_ALARM = "false-alarm"


OPEN = ["firing", "acknowledged"]
AlertId = Annotated[str, typer.Argument(autocompletion=names.completing("alerts", "id", status=OPEN))]
AlertIds = Annotated[list[str], typer.Argument(autocompletion=names.completing("alerts", "id", status=OPEN))]
Framework = Annotated[
    str | None, typer.Option(help="Of this framework alone.", autocompletion=names.completing("frameworks"))
]


def _state(row: output.Row) -> str:
    """Its status, or why nobody is told of it."""
    if row.get("snoozed_until") and row["status"] != "resolved":
        return "snoozed"
    return "silenced" if row.get("silenced_by") and row["status"] == "firing" else str(row["status"])


COLUMNS: list[output.Column] = [
    ("severity", "severity"),
    ("status", _state),
    ("age", lambda row: output.age(row["triggered_at"])),
    ("times", "occurrences"),
    ("value", "current_value"),
    ("id", "id"),
    ("title", lambda row: f"{row['title']}  {output.cell(row['labels'])}".rstrip()),
]
TIMELINE: list[output.Column] = [
    ("at", lambda row: row["at"][:19].replace("T", " ")),
    ("what", lambda row: row.get("event") or row.get("cause") or f"attempt {row.get('number')}"),
    ("why", lambda row: row.get("reason") or row.get("outcome") or ""),
    ("times", "count"),
    ("who", lambda row: row.get("actor") or row.get("channel_name") or _channels(row)),
    ("detail", lambda row: row.get("error") or output.cell(row.get("detail") or {})),
]


@command(app, "list")
def list_(
    session: Session,
    framework: Framework = None,
    status: Annotated[
        list[str] | None,
        typer.Option(help="firing, acknowledged or resolved; may be repeated. The open ones by default."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are resolved.")] = False,
    severity: Annotated[list[str] | None, typer.Option(help="May be repeated.")] = None,
    search: Annotated[str | None, typer.Option("--search", "-q", help="A part of title, rule or labels.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
) -> None:
    """List alerts, the newest first; the open ones unless told otherwise."""
    rows = session.client.items(
        "alerts",
        framework_id=names.id_of(session, "frameworks", framework) if framework else None,
        status=status or ([] if every else OPEN),
        severity=severity or [],
        q=search,
    )
    found = list(islice(rows, limit + 1))
    output.listing(found[:limit], COLUMNS, as_json=session.as_json, nothing="no alerts")
    if len(found) > limit and not session.as_json:
        typer.echo(f"… and more: --limit shows more than {limit}", err=True)


@command(app)
def show(
    session: Session,
    alert_id: AlertId,
    timeline: Annotated[bool, typer.Option(help="With everything that happened, and why.")] = True,
) -> None:
    """Show an alert and its timeline: why did, or didn't, somebody get it?"""
    alert = session.client.get(f"alerts/{alert_id}")
    entries = list(session.client.items(f"alerts/{alert_id}/timeline")) if timeline else []
    if session.as_json:
        return output.document({**alert, "timeline": entries} if timeline else alert)
    output.thing(alert, as_json=False)
    if entries:
        typer.echo("")
        output.listing(entries, TIMELINE, as_json=False, nothing="")
    return None


@command(app)
def ack(
    session: Session,
    alert_ids: AlertIds,
) -> None:
    """Acknowledge alerts: somebody is on it, and they remind nobody."""
    _act(session, alert_ids, "acknowledge", {})


@command(app)
def resolve(
    session: Session,
    alert_ids: AlertIds,
    notes: Annotated[str | None, typer.Option(help="How it was resolved.")] = None,
) -> None:
    """Resolve alerts; they stay closed until their condition has cleared once."""
    _act(session, alert_ids, "resolve", {"notes": notes} if notes else {})


@command(app)
def snooze(
    session: Session,
    alert_ids: AlertIds,
    lasts: Annotated[
        str | None, typer.Option("--for", metavar="LENGTH", help="Such as 30m, 4h, 2d; at most 30d.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Such as 2026-01-31T09:00Z."),
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="End their snoozes now.")] = False,
) -> None:
    """Snooze alerts: nobody is told of them until then, and everybody again of those that are still open."""
    if sum((lasts is not None, until is not None, end)) != 1:
        raise typer.BadParameter("give one of --for, --until and --end")
    ends = datetime.now(UTC) + timedelta(seconds=names.seconds(lasts) or 0) if lasts else until and names.time(until)
    _act(session, alert_ids, "snooze", {"until": ends.isoformat() if ends else None})


@command(app)
def assign(
    session: Session,
    alert_ids: AlertIds,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="USER",
            help="The id of a member; without it to oneself.",
            autocompletion=names.completing("assignees", "user_id"),
        ),
    ] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Take them from whoever has them.")] = False,
) -> None:
    """Assign alerts to a member, who finds that in their inbox; to oneself unless told otherwise."""
    if to is not None and nobody:
        raise typer.BadParameter("--to and --nobody exclude one another")
    user = None if nobody else to or session.client.get("me")["user_id"]
    _act(session, alert_ids, "assign", {"user_id": user})


@command(app)
def judge(
    session: Session,
    verdict: Annotated[Verdict, typer.Argument(help="Was it worth being told?")],
    alert_ids: Annotated[list[str], typer.Argument(autocompletion=names.completing("alerts", "id"))],
) -> None:
    """Say that alerts were useful or false alarms; your last word on each counts, and statistics tell how often."""
    _check(alert_ids)
    given = {"verdict": verdict.value.replace("-", "_")}
    judged = [session.client.create(f"alerts/{alert_id}/verdict", given) for alert_id in dict.fromkeys(alert_ids)]
    if session.as_json:
        return output.document(judged)
    for alert in judged:
        typer.echo(output.clean(f"{verdict.value}  {alert['id']}  {alert['title']}"))
    return None


@command(app)
def watch(
    session: Session,
    framework: Framework = None,
    since: Annotated[
        str | None, typer.Option(metavar="EPOCH:OFFSET", help="Go on behind a change that was seen; as lines only.")
    ] = None,
    lines: Annotated[bool, typer.Option("--lines", help="A line for each change, also on a terminal.")] = False,
    attempts: Annotated[int, typer.Option(min=0, help="Give up after so many lost connections; 0: never.")] = 0,
) -> None:
    """Watch alerts live, over cuts and restarts: a table on a terminal (q ends it), else a line for each change."""
    from convex_alerts.cli.watch import run

    run(session, framework=framework, since=since, lines=lines, attempts=attempts or None)


def _act(session: Session, alert_ids: list[str], action: str, body: dict[str, Any]) -> None:
    """All of them; those that cannot be are told, and the others are done all the same."""
    _check(alert_ids)
    outcomes: list[dict[str, Any]] = []
    ids = list(dict.fromkeys(alert_ids))
    for start in range(0, len(ids), MOST):
        asked = {"ids": ids[start : start + MOST], "action": action, **body}
        outcomes += session.client.create("alerts/bulk", asked)["items"]
    if session.as_json:
        output.document(outcomes)
    for outcome in outcomes:
        alert, problem = outcome["alert"] or {}, outcome["problem"]
        if problem:
            typer.echo(output.clean(f"{outcome['id']}: {problem['detail']} ({problem['status']})"), err=True)
        elif not session.as_json:
            typer.echo(output.clean(f"{alert.get('status', action)}  {outcome['id']}  {alert.get('title', '')}"))
    if not all(outcome["ok"] for outcome in outcomes):
        raise typer.Exit(FAILED)


def _check(alert_ids: list[str]) -> None:
    for wrong in (one for one in alert_ids if not names.is_id(one)):
        raise typer.BadParameter(f"{wrong!r} is no id; `convex alerts list` shows them")


def _channels(row: output.Row) -> str:
    return ", ".join(f"{one['channel_name']} ({one['status']})" for one in row.get("deliveries") or ())
