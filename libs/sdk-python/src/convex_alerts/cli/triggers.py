"""`convex triggers`: alerts that the sender vouches for."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from convex_alerts.cli import names, output
from convex_alerts.cli.command import Session, application, command

app = application("Send alerts that you vouch for.")


@app.callback()
def triggers() -> None:
    """Send alerts that you vouch for."""


@command(app, context_settings={"ignore_unknown_options": True})
def send(
    session: Session,
    rule: Annotated[str, typer.Argument(metavar="RULE", autocompletion=names.completing("rules"))],
    value: Annotated[float, typer.Argument(help="What was measured.")],
    severity: Annotated[str | None, typer.Option(help="The rule's by default.")] = None,
    resolved: Annotated[bool, typer.Option("--resolved", help="It is over.")] = False,
    label: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="May be repeated.")] = None,
    context: Annotated[str | None, typer.Option(help="A JSON object that is shown with the alert.")] = None,
    key: Annotated[str | None, typer.Option("--idempotency-key", help="Sent again with it, it counts once.")] = None,
) -> None:
    """Send a trigger of a rule: its condition holds, as you know."""
    from convex_alerts import calls

    trigger: dict[str, Any] = {
        "alert_rule_id": names.id_of(session, "rules", rule),
        "current_value": value,
        "severity": severity,
        "status": "resolved" if resolved else None,
        "labels": names.pairs(label) or None,
        "context": _object(context) if context else None,
    }
    call = calls.write(dict[str, Any], "POST", "triggers", body=calls.given(trigger))
    accepted = session.client.send(calls.once(call, key))
    output.thing(accepted, as_json=session.as_json)


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise typer.BadParameter("--context: write a JSON object")
    return found
