"""`convex silences`: what nobody is told about, and until when."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from convex_alerts.cli import names, output
from convex_alerts.cli.command import Session, application, command

app = application("What nobody is told about for a while: list, show, create, preview, expire.")

SilenceId = Annotated[str, typer.Argument(autocompletion=names.completing("silences", "id", state="active"))]
Matchers = Annotated[
    list[str], typer.Argument(metavar="MATCHER...", help="Tests on labels: team=web, env!=prod, host=~web-.*")
]
For = Annotated[str | None, typer.Option("--for", help="How long: 30m, 2h, 1d. From now, or from --from.")]
From = Annotated[str | None, typer.Option("--from", help="When it begins, as 2026-01-31T22:00Z; now by default.")]
Until = Annotated[str | None, typer.Option(help="When it ends, instead of --for.")]
Repeat = Annotated[str | None, typer.Option("--rrule", help="Again and again: FREQ=WEEKLY;BYDAY=SA.")]
Zone = Annotated[str | None, typer.Option("--timezone", help="The rule's, such as Europe/Berlin.")]

COLUMNS: list[output.Column] = [
    ("state", "state"),
    ("from", lambda row: row["starts_at"][:16].replace("T", " ")),
    ("until", lambda row: row["ends_at"][:16].replace("T", " ")),
    ("by", "created_by"),
    ("id", "id"),
    ("what", lambda row: f"{spelled(row['matchers'])}  {row.get('comment') or ''}".rstrip()),
]
ALERTS: list[output.Column] = [("severity", "severity"), ("status", "status"), ("id", "id"), ("title", "title")]
_MATCHER = re.compile(r"(?P<name>[^=!~\s]+)(?P<op>=~|!~|!=|=)(?P<value>.*)", re.DOTALL)


@command(app, "list")
def list_(
    session: Session,
    state: Annotated[str | None, typer.Option(help="active, pending or expired.")] = None,
) -> None:
    """List silences, the newest first; those that are over are kept."""
    rows = session.client.items("silences", state=state)
    output.listing(rows, COLUMNS, as_json=session.as_json, nothing="no silences")


@command(app)
def show(session: Session, silence_id: SilenceId) -> None:
    """Show a silence."""
    output.thing(session.client.get(f"silences/{silence_id}"), as_json=session.as_json)


@command(app)
def create(
    session: Session,
    matchers: Matchers,
    for_: For = None,
    begin: From = None,
    until: Until = None,
    rrule: Repeat = None,
    timezone: Zone = None,
    comment: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Tell nobody about the alerts that every MATCHER fits; they are still shown."""
    body = _draft(matchers, for_, begin, until, rrule, timezone)
    output.thing(session.client.create("silences", {**body, "comment": comment}), as_json=session.as_json)


@command(app)
def preview(session: Session, matchers: Matchers) -> None:
    """Show what a silence would keep quiet, without making it."""
    found = session.client.create("silences/preview", {"matchers": [matcher(text) for text in matchers]})
    if session.as_json:
        return output.document(found)
    output.listing(found["alerts"], ALERTS, as_json=False, nothing="no open alert fits")
    more = "at least " if found["cut"] else ""
    typer.echo(f"{more}{found['open']} open now, {more}{found['last_day']} of the last day")
    return None


@command(app)
def expire(session: Session, silence_id: SilenceId) -> None:
    """End a silence now; it is kept among those that have expired."""
    session.client.delete(f"silences/{silence_id}")
    if session.as_json:
        output.document({"expired": silence_id})


def matcher(text: str) -> dict[str, str]:
    """`team=web` as the API takes it; `=`, `!=`, `=~` and `!~` as in Alertmanager, with or without quotes."""
    found = _MATCHER.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no matcher: write team=web, env!=prod, host=~web-.* or host!~db-.*")
    value = found["value"]
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = value[1:-1]
    return {"name": found["name"], "op": found["op"], "value": value}


def spelled(matchers: list[dict[str, str]]) -> str:
    """Matchers as they are written."""
    return " ".join(f"{one['name']}{one['op']}{one['value']}" for one in matchers)


def _draft(
    matchers: list[str], for_: str | None, begin: str | None, until: str | None, rrule: str | None, timezone: str | None
) -> dict[str, Any]:
    if (for_ is None) == (until is None):
        raise typer.BadParameter("say how long: --for 2h, or --until 2026-01-31T22:00Z")
    starts = names.time(begin) if begin else None
    ends = names.time(until) if until else (starts or datetime.now(UTC)) + timedelta(seconds=names.seconds(for_) or 0)
    draft = {
        "matchers": [matcher(text) for text in matchers],
        "starts_at": starts and starts.isoformat(),
        "ends_at": ends.isoformat(),
        "rrule": rrule,
        "timezone": timezone,
    }
    return {name: value for name, value in draft.items() if value is not None}
