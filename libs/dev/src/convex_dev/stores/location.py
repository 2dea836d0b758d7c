"""Where PostgreSQL's data lies: in the home folder, or, when its user cannot get there, under /var/lib.

Only root meets the second case: the database then runs as `nobody`, who cannot pass through /root or another closed
folder, whose modes are not ours to widen. The folder under /var/lib names the home that it belongs to, and goes when
that home is gone.
"""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from convex_dev.home import Home
from convex_dev.stores.binaries import can_reach

ELSEWHERE = Path("/var/lib/convex-dev")
FILE = "postgres.location.json"


def data_side(home: Home, uid: int | None, elsewhere: Path = ELSEWHERE) -> Path:
    """The folder to keep `postgres/` in: the home itself where `uid` can reach it, else one of its own elsewhere."""
    if uid is None or can_reach(home.path, uid):
        return home.path
    prune(elsewhere)
    kept = home.read(FILE).get("folder")
    folder = Path(kept) if kept else elsewhere / uuid.uuid4().hex[:12]
    if not folder.is_dir():
        folder.mkdir(parents=True, mode=0o755)
        (folder / "home").write_text(str(home.path))
        home.write(FILE, {"folder": str(folder)})
    return folder


def prune(elsewhere: Path) -> None:
    """Remove the folders whose home is gone, or was made anew and has its data in another one."""
    for folder in elsewhere.glob("*"):
        named = folder / "home"
        if not named.is_file():
            continue
        home = Home(Path(named.read_text()))
        if home.read(FILE).get("folder") != str(folder):
            shutil.rmtree(folder, ignore_errors=True)
