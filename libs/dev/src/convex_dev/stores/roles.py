"""The role that services connect as: it may sign in, and nothing else until the migration lets it in."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from convex_dev.errors import Refused, StartFailed

if TYPE_CHECKING:
    import psycopg


def ensure_role(owner: psycopg.Connection[tuple[object, ...]], name: str, password: str) -> None:
    """The role exists afterwards; one that is there already keeps its password."""
    from psycopg import sql

    if not owner.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone():
        owner.execute(
            sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD {}").format(
                sql.Identifier(name), sql.Literal(password)
            )
        )


def service_url_for(owner_url: str, name: str, password: str) -> str:
    """Make a service role in a database of which only the owner's URL is known; its URL for the services."""
    import psycopg

    try:
        with psycopg.connect(owner_url, autocommit=True, connect_timeout=5) as owner:
            able = owner.execute(
                "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
            if not able or not able[0]:
                raise Refused(
                    "DATABASE_OWNER_URL: missing; name the owner of the tables by it, beside the services' DATABASE_URL"
                )
            ensure_role(owner, name, password)
    except psycopg.Error as error:
        raise StartFailed(f"DATABASE_URL: {str(error).strip().splitlines()[0]}") from error
    parts = urlsplit(owner_url)
    address = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{quote(name)}:{quote(password)}@{address}").geturl()
