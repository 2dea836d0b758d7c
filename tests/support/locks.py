"""Lock files as `uv pip compile --generate-hashes` writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker
from packaging.utils import canonicalize_name


@dataclass(frozen=True)
class Locked:
    """One package: where it is wanted, and which files are it."""

    version: str
    marker: str
    hashes: frozenset[str]

    @property
    def wanted_here(self) -> bool:
        return not self.marker or Marker(self.marker).evaluate()


def read(path: Path) -> dict[str, Locked]:
    """What it names; of a package with a version for each Python, the one for this."""
    found: dict[str, Locked] = {}
    for entry in path.read_text().replace("\\\n", " ").splitlines():
        head, *hashes = re.split(r"\s+--hash=", entry.strip())
        requirement, _, marker = head.partition(" ; ")
        name, _, version = requirement.partition("==")
        key, locked = canonicalize_name(name), Locked(version.strip(), marker.strip(), frozenset(hashes))
        if key not in found or locked.wanted_here:
            found[key] = locked
    return found
