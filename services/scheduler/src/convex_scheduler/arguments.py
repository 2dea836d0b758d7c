"""The command line: `serve`, and `run JOB` with its options."""

from __future__ import annotations

import argparse
import datetime as dt
import uuid

from convex_common.errors import NotFound
from convex_common.timetable import TIMETABLE, ScheduledJob, rfc3339


def parser() -> argparse.ArgumentParser:
    """Of `convex-scheduler`."""
    words = argparse.ArgumentParser(prog="convex-scheduler", description="Keeps the timetable of Convex Alerts.")
    commands = words.add_subparsers(dest="command")
    commands.add_parser("serve", help="run every job when it is due, on this machine (the default)")
    once = commands.add_parser("run", help="run the latest due slot of one job, or each of a range, once")
    once.add_argument("job", metavar="JOB", help=", ".join(job.name for job in TIMETABLE))
    once.add_argument("--at", type=_time, metavar="T", help="as if it were T, RFC 3339; now by default")
    once.add_argument("--from", dest="since", type=_time, metavar="F", help="every slot from F on, up to T or now")
    once.add_argument(
        "--run-id",
        type=uuid.UUID,
        metavar="ID",
        help="this run, which somebody asked for, and no slot of the timetable",
    )
    once.add_argument("--even-suspended", action="store_true", help="the latest slot also of a job that is suspended")
    once.add_argument("--wait", action="store_true", help="wait for a job that another service runs")
    once.add_argument("--dry-run", action="store_true", help="only say what it would do; of retention alone")
    once.add_argument("--timeout", type=float, default=900.0, metavar="SECONDS", help="how long at most; 900")
    return words


def _time(text: str) -> dt.datetime:
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time like 2030-01-31T02:00:00Z") from None
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)


def slots_of(job: ScheduledJob, since: dt.datetime | None, until: dt.datetime) -> list[dt.datetime]:
    """Those that are meant: the latest up to `until`, or each since then. NotFound where there is none."""
    if since is None:
        return [until]
    slots = job.due_between(since, until)
    if not slots:
        raise NotFound(f"{job.name}: no slot is due from {rfc3339(since)} to {rfc3339(until)}", cure="see its schedule")
    return slots
