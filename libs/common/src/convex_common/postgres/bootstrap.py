"""Workspaces and members made from outside the API, with the owner's URL: demo, tests, first installation."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

import psycopg

from convex_common.domain.api_key import Minted
from convex_common.domain.audit import Act
from convex_common.domain.role import Role
from convex_common.ids import Ids
from convex_common.postgres.audit import record_now
from convex_common.postgres.urls import plain

OPERATOR = "convex admin"
"""Who did it, as the audit log tells it, where somebody works on the database by the command line."""


def ensure_workspace(owner_url: str, *, slug: str, name: str, owner_user: str) -> uuid.UUID:
    """The workspace called `slug`, made with its feed and its owner where it is missing. Safe to call again."""
    with psycopg.connect(plain(owner_url)) as connection:
        found = connection.execute("SELECT id FROM workspaces WHERE slug = %s", (slug,)).fetchone()
        workspace_id: uuid.UUID = found[0] if found else Ids().new()
        if not found:
            connection.execute("SELECT set_config('app.workspace_id', %s, true)", (str(workspace_id),))
            made = connection.execute(
                "INSERT INTO workspaces (id, slug, name) VALUES (%s, %s, %s) "
                "ON CONFLICT (slug) DO NOTHING RETURNING id",
                (workspace_id, slug, name),
            ).fetchone()
            if made is None:
                again = connection.execute("SELECT id FROM workspaces WHERE slug = %s", (slug,)).fetchone()
                assert again is not None
                workspace_id = again[0]
        connection.execute(
            "INSERT INTO workspace_feed (workspace_id) VALUES (%s) ON CONFLICT DO NOTHING", (workspace_id,)
        )
        _ensure(connection, workspace_id, [owner_user], "owner")
    return workspace_id


def make_workspace(
    owner_url: str,
    *,
    slug: str,
    name: str,
    owner_user: str,
    email: str | None,
    key: Minted | None,
    keep: Callable[[], None] = lambda: None,
) -> uuid.UUID | None:
    """A new workspace with its feed, its owner and an owner's key, all at once; None where it is there already.

    `keep` is called before the commit, so that a key which nobody could keep is never made. Of two who make the same
    workspace at the same time the second waits, and finds it there.
    """
    ids = Ids()
    workspace_id = ids.new()
    with psycopg.connect(plain(owner_url)) as connection:
        connection.execute("SELECT set_config('app.workspace_id', %s, true)", (str(workspace_id),))
        made = connection.execute(
            "INSERT INTO workspaces (id, slug, name) VALUES (%s, %s, %s) ON CONFLICT (slug) DO NOTHING RETURNING id",
            (workspace_id, slug, name),
        ).fetchone()
        if made is None:
            return None
        connection.execute("INSERT INTO workspace_feed (workspace_id) VALUES (%s)", (workspace_id,))
        connection.execute(
            "INSERT INTO members (workspace_id, user_id, role, name, email) VALUES (%s, %s, %s, %s, %s)",
            (workspace_id, owner_user, Role.OWNER.value, owner_user, email),
        )
        acts = [
            Act(OPERATOR, "workspace.created", f"workspace:{workspace_id}", {"slug": slug, "name": name}),
            Act(OPERATOR, "member.added", f"member:{owner_user}", {"role": Role.OWNER.value}),
        ]
        if key is not None:
            key_id = ids.new()
            connection.execute(
                "INSERT INTO api_keys (workspace_id, id, name, prefix, digest, role, created_by) "
                "VALUES (%s, %s, 'bootstrap', %s, %s, %s, %s)",
                (workspace_id, key_id, key.prefix, key.digest, Role.OWNER.value, OPERATOR),
            )
            acts.append(
                Act(OPERATOR, "api_key.created", f"api_key:{key_id}", {"role": Role.OWNER.value, "prefix": key.prefix})
            )
        record_now(connection, workspace_id, *acts)
        keep()
    return workspace_id


def ensure_member(owner_url: str, workspace_id: uuid.UUID, user_id: str, role: str) -> None:
    """`user_id` is a member with exactly this role afterwards."""
    ensure_members(owner_url, workspace_id, [user_id], role)


def ensure_members(owner_url: str, workspace_id: uuid.UUID, user_ids: Sequence[str], role: str) -> None:
    """Each of `user_ids` is a member with exactly this role afterwards; one statement for all."""
    with psycopg.connect(plain(owner_url)) as connection:
        _ensure(connection, workspace_id, user_ids, role)


def _ensure(
    connection: psycopg.Connection[tuple[object, ...]], workspace_id: uuid.UUID, user_ids: Sequence[str], role: str
) -> None:
    connection.execute("SELECT set_config('app.workspace_id', %s, true)", (str(workspace_id),))
    connection.execute(
        "INSERT INTO members (workspace_id, user_id, role, name) SELECT %s, u, %s, u FROM unnest(%s::text[]) u "
        "ON CONFLICT (workspace_id, user_id) DO UPDATE SET role = excluded.role WHERE members.role <> excluded.role",
        (workspace_id, role, list(user_ids)),
    )
