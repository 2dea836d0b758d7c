"""Which installation a command speaks to."""

from __future__ import annotations

import os
from importlib.metadata import entry_points

import typer

GROUP = "convex.connections"


def find(url: str | None, token: str | None) -> tuple[str, str]:
    """URL and token: as given, else CONVEX_URL and CONVEX_TOKEN, else those of an instance on this machine."""
    url = url or os.environ.get("CONVEX_URL")
    token = token or os.environ.get("CONVEX_TOKEN")
    if url and token:
        return url, token
    for provider in entry_points(group=GROUP):
        local: tuple[str, str] | None = provider.load()()
        if local and url in (None, local[0]):
            return local[0], token or local[1]
    missing = "--token or CONVEX_TOKEN" if url else "--url and --token, or CONVEX_URL and CONVEX_TOKEN"
    typer.echo(f"no instance runs on this machine's folder; start one by `make run`, or give {missing}", err=True)
    raise typer.Exit(2)
