"""Where the stores of tests keep their files: in memory where there is room, or else wherever temporary files are."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

import psutil

MEMORY: Final = Path("/dev/shm")
ROOM: Final = 4 << 30
"""What all workers of a run have been seen to need, several times over; containers often have 64 MiB of it."""


def scratch(prefix: str) -> Path:
    """A new folder for a database's files, which its own user can pass through.

    A database is a few hundred files, and tests make and remove a thousand databases. ext4 gives no file the inode of
    one that was removed within the last seconds, and looks at each of those first: most of a test's time went there.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=MEMORY if _room() else None))
    folder.chmod(0o711)
    return folder


def _room() -> bool:
    return (
        os.access(MEMORY, os.W_OK | os.X_OK)
        and shutil.disk_usage(MEMORY).free >= ROOM
        and psutil.virtual_memory().available >= ROOM
    )
