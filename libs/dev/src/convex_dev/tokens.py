"""Sign-in tokens for the local installation."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from convex_dev.errors import NotRunning, Refused
from convex_dev.state import State

ROLES = ("viewer", "responder", "editor", "admin", "owner")
DAY = 86400


def mint(
    environment: Mapping[str, str],
    *,
    workspace_id: str,
    user: str,
    role: str,
    ttl: int,
    now: float,
    operator: bool = False,
) -> str:
    """A JWT that the services with this environment accept for `ttl` seconds from `now`."""
    import jwt

    claims: dict[str, object] = {
        "sub": user,
        "workspace_id": workspace_id,
        "role": role,
        "iat": int(now),
        "exp": int(now) + ttl,
        "iss": environment["JWT_ISSUER"],
        "aud": environment["JWT_AUDIENCE"],
    }
    if operator:
        claims["operator"] = True
    return jwt.encode(claims, environment["JWT_SECRET"], algorithm="HS256")


def issue(
    state: State,
    *,
    workspace: str = "demo",
    role: str = "owner",
    user: str | None = None,
    ttl: int = DAY,
    count: int = 0,
    operator: bool = False,
) -> list[str]:
    """Tokens of members, who are made where missing, as is the workspace: one, or `count` of a member each."""
    import psycopg

    from convex_common.postgres import bootstrap

    if role not in ROLES:
        raise Refused(f"--role {role}: not a role; choose one of {', '.join(ROLES)}")
    owner = f"{workspace}-owner"
    name = user or (owner if role == "owner" else f"{workspace}-{role}")
    users: Sequence[str] = [f"{name}-{number}" for number in range(1, count + 1)] if count else [name]
    try:
        workspace_id = bootstrap.ensure_workspace(
            state.owner_url, slug=workspace, name=workspace.capitalize(), owner_user=owner
        )
        bootstrap.ensure_members(state.owner_url, workspace_id, users, role)
    except psycopg.Error as error:
        raise NotRunning("the database does not answer yet; try again when `convex dev status` says healthy") from error
    return [
        mint(
            state.environment,
            workspace_id=str(workspace_id),
            user=one,
            role=role,
            ttl=ttl,
            now=time.time(),
            operator=operator,
        )
        for one in users
    ]
