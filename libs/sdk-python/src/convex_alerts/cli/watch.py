"""`convex alerts watch`: a live table on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import typer

from convex_alerts.async_client import AsyncClient
from convex_alerts.cli import names, output
from convex_alerts.cli.board import Board
from convex_alerts.cli.command import WRONG, Session, fail
from convex_alerts.live.items import Broadcast, Change, Gap, Item, Notified, Position, Snapshot, State
from convex_alerts.live.machine import Terms
from convex_alerts.models import Alert

REDRAW = 0.25
MOST = 1_000
OPEN = ("firing", "acknowledged")


def run(session: Session, *, framework: str | None, since: str | None, lines: bool, attempts: int | None) -> None:
    """Watch until q, Ctrl-C, or the end of what can be watched."""
    framework_id = names.id_of(session, "frameworks", framework) if framework else None
    position = _position(since)
    terms = Terms(attempts=attempts)
    as_table = sys.stdout.isatty() and not (lines or session.as_json or position)
    watching = (
        _table(session, framework, framework_id, terms) if as_table else _lines(session, framework_id, position, terms)
    )
    try:
        asyncio.run(watching)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


async def _lines(session: Session, framework_id: str | None, since: Position | None, terms: Terms) -> None:
    def told(state: State, reason: str) -> None:
        if state in (State.RECONNECTING, State.STALE, State.POLLING):
            typer.echo(output.clean(f"{state.value}: {reason}" if reason else state.value), err=True)

    async with (
        session.async_client() as client,
        client.watch(framework_id, since=since, terms=terms, on_state=told) as feed,
    ):
        async for item in feed:
            if session.as_json:
                output.line(as_json(item))
            elif (text := as_line(item)) is not None:
                sys.stdout.write(text + "\n")
                sys.stdout.flush()


async def _table(session: Session, framework: str | None, framework_id: str | None, terms: Terms) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    board = Board(framework or "all frameworks")

    def told(state: State, reason: str) -> None:
        board.state, board.reason = state, reason

    def picture() -> Any:
        return board.draw(datetime.now(UTC), console.width, console.height)

    async def follow(client: AsyncClient) -> None:
        position = await _fill(client, board, framework_id)
        async with client.watch(framework_id, since=position, terms=terms, on_state=told) as feed:
            async for item in feed:
                board.apply(item)
                if isinstance(item, Gap):
                    await _fill(client, board, framework_id)

    async with session.async_client() as client:
        with Live(console=console, screen=True, auto_refresh=False) as live, _keys() as keys:
            following = asyncio.create_task(follow(client))
            quitting = asyncio.create_task(_pressed(keys, "qQ"))
            while not (following.done() or quitting.done()):
                live.update(picture(), refresh=True)
                await asyncio.wait({following, quitting}, timeout=REDRAW, return_when=asyncio.FIRST_COMPLETED)
            for task in (following, quitting):
                task.cancel()
            await asyncio.gather(quitting, return_exceptions=True)
        with contextlib.suppress(asyncio.CancelledError):
            await following


async def _fill(client: AsyncClient, board: Board, framework_id: str | None) -> Position | None:
    """Read the open alerts; where the feed stood as they were read."""
    alerts: list[Alert] = []
    page = await client.alerts.page(framework_id=framework_id, status=OPEN)
    stood = None if page.epoch is None or page.offset is None else Position(page.epoch, page.offset)
    alerts += page.items
    while page.next_cursor and len(alerts) < MOST:
        page = await client.alerts.page(page.next_cursor, framework_id=framework_id, status=OPEN)
        alerts += page.items
    board.replace(alerts)
    return stood


@contextlib.contextmanager
def _keys() -> Iterator[asyncio.Queue[str]]:
    """Keys as they are pressed, without Enter; none where stdin is no terminal."""
    pressed: asyncio.Queue[str] = asyncio.Queue()
    if os.name != "posix" or not sys.stdin.isatty():
        yield pressed
        return
    import termios
    import tty

    descriptor, loop = sys.stdin.fileno(), asyncio.get_running_loop()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)

    def read() -> None:
        for key in os.read(descriptor, 64).decode(errors="ignore"):
            pressed.put_nowait(key)

    loop.add_reader(descriptor, read)
    try:
        yield pressed
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


async def _pressed(keys: asyncio.Queue[str], wanted: str) -> None:
    async for key in _each(keys):
        if key in wanted:
            return


async def _each(keys: asyncio.Queue[str]) -> AsyncIterator[str]:
    while True:
        yield await keys.get()


def as_json(item: Item) -> dict[str, Any]:
    """An item as a program reads it."""
    match item:
        case Change(event=event, position=position, data=data):
            return {"type": "change", "event": event, **_told(position), "data": data}
        case Gap(before=before, after=after):
            return {"type": "gap", "before": _told(before), "after": _told(after)}
        case Snapshot(alerts=alerts, position=position):
            return {"type": "snapshot", "alerts": [alert.as_dict() for alert in alerts], **_told(position)}
        case Broadcast(data=data):
            return {"type": "message", "data": data}
        case Notified(data=data):
            return {"type": "notification", "data": data}


def as_line(item: Item) -> str | None:
    """An item as a person reads it; None for what is not worth a line."""
    match item:
        case Change(event=event, alert=alert, position=position):
            at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            value = output.cell(alert.current_value)
            told = f"{alert.severity:<8} {event:<12} {alert.title}  {output.cell(alert.labels)}".rstrip()
            return output.clean(f"{at} {position.epoch}:{position.offset} {told}  value {value}  {alert.id}")
        case Gap(before=before, after=after):
            return f"gap: what came between {before.offset} and {after.offset} is too old; `convex alerts list` has it"
        case Snapshot(alerts=alerts):
            return f"{len(alerts)} open, read without the live feed"
        case Broadcast(data=data):
            return output.clean(f"message {data}")
        case Notified():
            return None


def _told(position: Position | None) -> dict[str, Any]:
    return {} if position is None else {"epoch": position.epoch, "offset": position.offset}


def _position(since: str | None) -> Position | None:
    if since is None:
        return None
    epoch, colon, offset = since.rpartition(":")
    if not colon or not names.is_id(epoch) or not offset.isdigit():
        fail(f"--since {since}: write EPOCH:OFFSET, as a line of `convex alerts watch --lines` has it", WRONG)
    return Position(epoch, int(offset))
