"""Which installation a command speaks to."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import NamedTuple

import typer

from convex_alerts.cli import profile_file

GROUP = "convex.connections"


class Found(NamedTuple):
    """Where it is, and a token; `renew` gives another one, where there is a way to."""

    url: str
    token: str
    renew: Callable[[], str] | None = None


def find(url: str | None, token: str | None, profile: str | None = None) -> Found:
    """As given by options, else the named profile, CONVEX_URL and CONVEX_TOKEN, the profile `default`, this machine."""
    profile = profile or (None if url else os.environ.get("CONVEX_PROFILE"))
    if profile is not None:
        kept = profile_file.read(profile)
        return Found(url or kept.url, token or kept.token)
    url = url or os.environ.get("CONVEX_URL")
    token = token or os.environ.get("CONVEX_TOKEN")
    if url and token:
        return Found(url, token)
    usual = profile_file.read(profile_file.DEFAULT) if profile_file.has(profile_file.DEFAULT) else None
    if usual and url in (None, usual.url):
        return Found(usual.url, token or usual.token)
    for provider in entry_points(group=GROUP):
        ask: Callable[[], tuple[str, str] | None] = provider.load()
        local = ask()
        if local and url in (None, local[0]):
            return Found(local[0], token or local[1], None if token else _renewing(ask, local[1]))
    missing = "--token or CONVEX_TOKEN" if url else "--url and --token, or CONVEX_URL and CONVEX_TOKEN"
    typer.echo(
        f"no instance runs on this machine's folder; start one by `make run`, or give {missing}, "
        "or keep them by `convex profiles save default`",
        err=True,
    )
    raise typer.Exit(2)


def _renewing(ask: Callable[[], tuple[str, str] | None], first: str) -> Callable[[], str]:
    def renew() -> str:
        local = ask()
        return local[1] if local else first

    return renew
