"""`convex admin …`: the commands for who runs an installation. What they need is imported when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from convex_admin import identity

app = typer.Typer(name="admin", help="Run an installation, by its database.", no_args_is_help=True)


@app.callback()
def admin() -> None:
    """Needs DATABASE_OWNER_URL, as the migrations do."""


identity.register(app)

audit = typer.Typer(name="audit", help="The audit log: who did what, in one chain per workspace.", no_args_is_help=True)
app.add_typer(audit)

WorkspaceOption = Annotated[str | None, typer.Option("--workspace", help="Its short name; all when left out.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]


@audit.command("verify")
def verify_audit(
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    anchor: Annotated[
        list[Path] | None, typer.Option(help="What `audit head --json` printed earlier, or a back-up's manifest.")
    ] = None,
) -> None:
    """Check every chain; exit 1 and the first broken place where one does not hold."""
    from convex_admin.audit import verify

    verify(workspace, as_json, anchor or ())


@audit.command("head")
def audit_head(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Print where each chain stands: an anchor, to be kept where nobody of the database's can change it."""
    from convex_admin.audit import head

    head(workspace, as_json)


@audit.command("export")
def export_audit(workspace: WorkspaceOption = None) -> None:
    """Write every record as a line of JSON, the oldest first."""
    from convex_admin.audit import export

    export(workspace)


secrets = typer.Typer(name="secrets", help="What is encrypted in the database, and by which key.", no_args_is_help=True)
app.add_typer(secrets)


@secrets.command("status")
def secrets_status(as_json: JsonOption = False) -> None:
    """Show what each key of ENCRYPTION_KEYS has sealed; exit 1 where something is sealed by none of them."""
    from convex_admin.secrets import status

    status(as_json)


@secrets.command("rotate")
def rotate_secrets(
    batch: Annotated[int, typer.Option(min=1, max=5000, help="Rows of a transaction.")] = 200,
) -> None:
    """Seal everything anew with the first key of ENCRYPTION_KEYS, while everything runs; again where it was stopped."""
    from convex_admin.secrets import rotate

    rotate(batch)


@app.command("backup")
def make_backup(
    out: Annotated[Path, typer.Option(help="A new folder; it gets the dump and a manifest.")],
) -> None:
    """Back up all rows as of one moment, while everything runs. The encryption keys are not in it."""
    from convex_admin.backup import backup

    backup(out)


@app.command("restore")
def restore_backup(
    source: Annotated[Path, typer.Option("--from", help="The folder that `backup --out` wrote.")],
    replace: Annotated[bool, typer.Option("--replace", help="Drop what the database has.")] = False,
) -> None:
    """Restore a back-up into an empty database; the services are stopped meanwhile."""
    from convex_admin.restore import restore

    restore(source, replace)


terms = typer.Typer(name="retention", help="How long a workspace keeps what was recorded.", no_args_is_help=True)
app.add_typer(terms)

Days = Annotated[int | None, typer.Option(min=0, help="Days; 0: as the installation")]


@terms.command("show")
def show_retention(workspace: str) -> None:
    """Show the terms that a workspace has of its own."""
    from convex_admin.retention import show

    show(workspace)


@terms.command("set")
def set_retention(
    workspace: str, observations: Days = None, log: Days = None, alerts: Days = None, statistics: Days = None
) -> None:
    """Shorten a workspace's terms; what is longer than the installation's has no effect."""
    from convex_admin.retention import change

    change(workspace, {"observations": observations, "log": log, "alerts": alerts, "statistics": statistics})
