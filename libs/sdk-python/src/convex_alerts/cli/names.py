"""People say names, the API takes ids."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import typer

from convex_alerts.cli.command import WRONG, Session, fail


def is_id(text: str) -> bool:
    """Whether it is an id already."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def id_of(session: Session, collection: str, name: str, **filters: str) -> str:
    """The id of the one thing of this name; an id as it is."""
    if is_id(name):
        return name
    named = [item for item in session.client.items(collection, **filters) if item["name"] == name]
    if len(named) == 1:
        return str(named[0]["id"])
    what = collection.removesuffix("s")
    if named:
        ids = ", ".join(item["id"] for item in named)
        message = f"{len(named)} {collection} are called {name!r}: give the id, one of {ids}"
    else:
        message = f"there is no {what} {name!r}; `convex {collection} list` shows what there is"
    typer.echo(message, err=True)
    raise typer.Exit(WRONG)


def pairs(given: list[str] | None, option: str = "--label") -> dict[str, str]:
    """NAME=VALUE, many times."""
    found = {}
    for pair in given or ():
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise typer.BadParameter(f"{option} {pair}: write NAME=VALUE")
        found[name] = value
    return found


def seconds(text: str | None) -> int | None:
    """`90`, `90s`, `15m`, `2h` or `1d`, in seconds."""
    if text is None:
        return None
    size = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}.get(text[-1:], 0)
    number = text[:-1] if size else text
    if not number.isascii() or not number.isdigit():
        raise typer.BadParameter(f"{text!r} is no length of time: write 90, 90s, 15m, 2h or 1d")
    return int(number) * (size or 1)


def time(text: str) -> datetime:
    """ISO 8601; without a zone it is of this machine."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        fail(f"{text!r} is no time: write 2026-01-31T22:00Z", WRONG)


def _told(item: dict[str, Any]) -> str:
    """What is shown beside a completion."""
    return str(item.get("title") or item.get("id") or item["name"])


def completing(collection: str, field: str = "name", **filters: Any) -> Callable[[str], list[tuple[str, str]]]:
    """Completion by what there is; nothing where the installation does not answer at once."""

    def complete(incomplete: str) -> list[tuple[str, str]]:
        try:
            from convex_alerts.cli.output import clean
            from convex_alerts.client import Client

            found = Session(None, None, None, as_json=True).found
            with Client(found.url, found.token, tries=1, timeout=1.0) as client:
                page = client.get(collection, limit=100, **filters)
            items = [(str(item[field]), clean(_told(item))) for item in page["items"]]
            return [(value, told) for value, told in items if value.startswith(incomplete)]
        except (Exception, SystemExit):  # whoever presses Tab wants no error
            return []

    return complete
