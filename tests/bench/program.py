"""What a bench's program is told: which of its topics, and how thoroughly."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence


def arguments(
    program: str, description: str, topics: Mapping[str, str], given: Sequence[str] | None = None
) -> tuple[list[str], bool]:
    """The topics to run, in the program's order, and whether a look is enough. Exits where one is unknown."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    told = "; ".join(f"{name}: {what}" for name, what in topics.items())
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"{told}; all without any")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs: a look, not a proof")
    found = parser.parse_args(given)
    if unknown := set(found.topics) - set(topics):
        parser.error(f"{', '.join(sorted(unknown))}: none of {', '.join(topics)}")
    return [topic for topic in topics if not found.topics or topic in found.topics], found.quick
