"""How each store and service is, asked now."""

from __future__ import annotations

import asyncio
from typing import TypedDict

from convex_dev import probes, state
from convex_dev.home import Home
from convex_dev.state import ProcessState


class Row(TypedDict):
    """`health` is healthy, unhealthy (it runs and does not serve) or down."""

    name: str
    pid: int | None
    port: int | None
    health: str
    restarts: int


def of(home: Home) -> list[Row]:
    """One row per store and service of the running installation; `NotRunning` when there is none."""
    return asyncio.run(_ask_all(state.running(home)))


def table(rows: list[Row]) -> str:
    """The rows for a person."""
    lines = [f"{'NAME':<14}{'PID':>8}{'PORT':>8}  {'HEALTH':<10}{'RESTARTS':>8}"]
    lines += [
        f"{row['name']:<14}{row['pid'] or '-':>8}{row['port'] or '-':>8}  {row['health']:<10}{row['restarts']:>8}"
        for row in rows
    ]
    return "\n".join(lines)


async def _ask_all(running: state.State) -> list[Row]:
    return await asyncio.gather(*(_ask(process) for process in running.processes))


async def _ask(process: ProcessState) -> Row:
    return Row(
        name=process.name,
        pid=process.pid,
        port=process.port,
        health=await _health(process),
        restarts=process.restarts,
    )


async def _health(process: ProcessState) -> str:
    if process.pid and process.created and not state.same_process(process.pid, process.created):
        return "down"
    if process.probe:
        if await probes.healthy(process.probe):
            return "healthy"
        return "unhealthy" if process.pid else "down"
    return "healthy" if process.pid else "down"
