"""What a figure is worth: the machine, the versions, the stores' durability, and who else was busy."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

import psutil
import psycopg

from tests.bench.report import table

PACKAGES = ("dramatiq", "redis", "psycopg", "uvicorn", "uvloop")
SHOWN = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_level")


def machine() -> None:
    """Print what holds for every table that follows."""
    memory = psutil.virtual_memory().total / 2**30
    rows = [
        ("processor", f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB"),
        ("system", f"{platform.system()} {platform.release()}, Python {platform.python_version()}"),
        ("packages", ", ".join(f"{name} {version(name)}" for name in PACKAGES)),
        ("load average at start", "{:.2f} {:.2f} {:.2f} (1, 5, 15 minutes)".format(*os.getloadavg())),
        ("generator", "a process of its own on the same cores: its share of one core is printed beside each result"),
        ("begun", time.strftime("%Y-%m-%d %H:%M:%S %Z")),
    ]
    table("Conditions", ("", ""), rows)


def short() -> str:
    """The machine in half a line."""
    return f"{os.cpu_count()} cores ({_processor()}), Python {platform.python_version()}"


def durability(owner_url: str) -> str:
    """PostgreSQL's own word on how durable its commits are."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        found = {name: connection.execute(f"SHOW {name}".encode()).fetchone() for name in SHOWN}
    return "PostgreSQL " + ", ".join(f"{name} {value[0]}" for name, value in found.items() if value)


def load() -> str:
    """How busy the machine was before a measurement."""
    return f"load average {os.getloadavg()[0]:.2f}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
