"""`convex admin bootstrap|workspace|member|key`: who may do what. What they need is imported when they run."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from convex_admin.failures import told

workspace_app = typer.Typer(help="Workspaces.", no_args_is_help=True)
member_app = typer.Typer(help="Members of a workspace.", no_args_is_help=True)
key_app = typer.Typer(help="API keys of a workspace.", no_args_is_help=True)

WORKSPACE = "main"
WorkspaceOption = Annotated[str, typer.Option("--workspace", help="The workspace's short name.")]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
NameOption = Annotated[str | None, typer.Option("--name", help="What people call it.")]
RoleOption = Annotated[str, typer.Option("--role", help="viewer, responder, editor, admin or owner.")]


def register(app: typer.Typer) -> None:
    """Put these commands among the others."""
    app.command()(bootstrap)
    app.add_typer(workspace_app, name="workspace")
    app.add_typer(member_app, name="member")
    app.add_typer(key_app, name="key")


def bootstrap(
    *,
    workspace: WorkspaceOption = WORKSPACE,
    name: NameOption = None,
    owner: Annotated[str, typer.Option(help="The owner's user id: the `sub` of their tokens.")] = "owner",
    email: Annotated[str | None, typer.Option(help="The owner's address.")] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="Write the key there, for its owner's eyes, and do not print it.")
    ] = None,
    new_key: Annotated[
        bool, typer.Option("--new-key/--no-new-key", help="Make a key where BOOTSTRAP_API_KEY gives none.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Make the first workspace, its owner and an API key of theirs, once: run again, it makes nothing.

    A key of your own choice is taken from BOOTSTRAP_API_KEY, and not printed.
    """
    from convex_admin.bootstrap import KEY_VARIABLE
    from convex_admin.bootstrap import bootstrap as make
    from convex_admin.output import tell_made

    given = os.environ.get(KEY_VARIABLE) or None
    keyed = new_key or given is not None
    with told():
        made = make(
            workspace=workspace, name=name, owner=owner, email=email, key_file=key_file, keyed=keyed, given_key=given
        )
    tell_made(made, as_json=as_json)


@workspace_app.command("create")
def create_workspace(
    slug: Annotated[str, typer.Argument(help="Its short name.")],
    *,
    owner: Annotated[str, typer.Option(help="The owner's user id: the `sub` of their tokens.")],
    name: NameOption = None,
    email: Annotated[str | None, typer.Option(help="The owner's address.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a workspace with an owner. One that is there stays as it is."""
    from convex_admin.bootstrap import bootstrap as make
    from convex_admin.output import tell_made

    with told():
        made = make(workspace=slug, name=name, owner=owner, email=email, key_file=None, keyed=False)
    tell_made(made, as_json=as_json)


@workspace_app.command("list")
def list_workspaces(*, as_json: JsonOption = False) -> None:
    """Every workspace."""
    from convex_admin.database import connect, workspaces
    from convex_admin.output import tell_rows

    with told(), connect() as connection:
        rows = [(found.slug, found.name, str(found.id)) for found in workspaces(connection)]
    tell_rows(("slug", "name", "id"), rows, as_json=as_json)


@member_app.command("list")
def list_members(*, workspace: WorkspaceOption = WORKSPACE, as_json: JsonOption = False) -> None:
    """Everybody in the workspace."""
    from convex_admin import members
    from convex_admin.output import tell_rows

    with told():
        found = asyncio.run(members.everybody(workspace))
    rows = [(member.user_id, member.role.value, member.name, member.email or "") for member in found]
    tell_rows(("user_id", "role", "name", "email"), rows, as_json=as_json)


@member_app.command("add")
def add_member(
    user_id: Annotated[str, typer.Argument(help="The `sub` of their tokens.")],
    *,
    role: RoleOption,
    workspace: WorkspaceOption = WORKSPACE,
    name: NameOption = None,
    email: Annotated[str | None, typer.Option(help="Their address.")] = None,
) -> None:
    """Add a member, or give one who is there another role."""
    from convex_admin import members
    from convex_admin.words import role_of

    with told():
        asyncio.run(members.add(workspace, user_id, role=role_of(role), name=name, email=email))
    typer.echo(f"{user_id} is {role} in {workspace}")


@member_app.command("remove")
def remove_member(
    user_id: Annotated[str, typer.Argument(help="The `sub` of their tokens.")],
    *,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Remove a member: refused everywhere within a minute. The API keys that they made stay."""
    from convex_admin import members

    with told():
        asyncio.run(members.remove(workspace, user_id))
    typer.echo(f"{user_id} is no member of {workspace} any more")


@key_app.command("list")
def list_keys(*, workspace: WorkspaceOption = WORKSPACE, as_json: JsonOption = False) -> None:
    """Every key, without its text."""
    from convex_admin import keys
    from convex_admin.output import moment, tell_rows

    with told():
        found = asyncio.run(keys.every(workspace))
    rows = [
        (
            str(key.id),
            key.prefix,
            key.name,
            key.role.value,
            ",".join(key.scopes),
            moment(key.expires_at),
            moment(key.last_used_at),
            moment(key.revoked_at),
        )
        for key in found
    ]
    tell_rows(("id", "prefix", "name", "role", "scopes", "expires", "last used", "revoked"), rows, as_json=as_json)


@key_app.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    *,
    role: RoleOption,
    workspace: WorkspaceOption = WORKSPACE,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="ingest, read, respond, configure or admin; more than one may be given."),
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36500, help="Days until it expires; never by default.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it, this once."""
    from convex_admin import keys
    from convex_admin.output import tell
    from convex_admin.words import role_of, scopes_of

    with told():
        key, text = asyncio.run(
            keys.create(workspace, name, role=role_of(role), scopes=scopes_of(scope or []), days=days)
        )
    tell({"id": str(key.id), "key": text}, text, as_json=as_json)


@key_app.command("revoke")
def revoke_key(
    which: Annotated[str, typer.Argument(help="Its id or its prefix.")],
    *,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Revoke a key: refused everywhere within a minute."""
    from convex_admin import keys

    with told():
        key = asyncio.run(keys.revoke(workspace, which))
    typer.echo(f"{key.prefix} ({key.name}) is revoked")
