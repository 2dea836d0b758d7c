"""Which Chromium tests drive: the machine's own, or else npm's headless shell, unpacked under `.tools/`."""

from __future__ import annotations

import base64
import fcntl
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import playwright

from tests.support.debian import TOOLS, Unavailable
from tests.support.node import NPM

NAMES = ("chromium", "chromium-browser", "google-chrome")
PACKAGE = "@sparticuz/chromium@147.0.0"  # the newest that Node.js 20 may install
INTEGRITY = "sha512-4ZKeAQQa8up2mt675qSitztLdbQrlf8BKdC5naeap+5Mv1OV1OlJdPoU+EJC/p5sQUJUQmN4r+q5+EhaaOUHpQ=="
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{folder}/fonts</dir><dir>/usr/share/fonts</dir><cachedir>{folder}/cache</cachedir></fontconfig>
"""
UNPACK = """
const { createReadStream, createWriteStream } = require("node:fs");
const { pipeline } = require("node:stream/promises");
const { createBrotliDecompress } = require("node:zlib");
const [from, to] = process.argv.slice(1);
pipeline(createReadStream(from), createBrotliDecompress(), createWriteStream(to));
"""


@dataclass(frozen=True)
class Chromium:
    """A program to start, and what it has to find in its environment."""

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@functools.cache
def chromium() -> Chromium:
    """The one on the PATH, or else npm's, fetched on first use. Raises Unavailable where neither can be had."""
    on_path = next((found for name in NAMES if (found := shutil.which(name))), None)
    return Chromium(Path(on_path)) if on_path else fetched()


def fetched() -> Chromium:
    """npm's, with the libraries and the font that it brings for machines without. Raises Unavailable."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise Unavailable("there is no Chromium on the PATH, and npm has one for Linux on x86_64 only")
    folder = TOOLS / "chromium"
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "chromium-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=TOOLS) as scratch:
                _unpack(_downloaded(Path(scratch)), Path(scratch)).rename(folder)
            (folder / "fonts.conf").write_text(FONTS.format(folder=folder))
    libraries = os.pathsep.join(filter(None, (os.environ.get("LD_LIBRARY_PATH"), str(folder / "lib"))))
    return Chromium(folder / "chromium", {"LD_LIBRARY_PATH": libraries, "FONTCONFIG_FILE": str(folder / "fonts.conf")})


def _downloaded(scratch: Path) -> Path:
    done = subprocess.run(
        [NPM, "pack", "--silent", "--pack-destination", scratch, PACKAGE],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    archives = list(scratch.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        raise Unavailable(f"there is no Chromium on the PATH, and npm cannot fetch {PACKAGE}: {done.stderr[-300:]}")
    digest = base64.b64encode(hashlib.sha512(archives[0].read_bytes()).digest()).decode()
    assert f"sha512-{digest}" == INTEGRITY, f"{PACKAGE} is not what it was when it was chosen"
    return archives[0]


def _unpack(archive: Path, scratch: Path) -> Path:
    """Its parts are packed each by itself; Node.js unpacks them, which Python cannot."""
    subprocess.run(["tar", "-xzf", archive, "-C", scratch, "package/bin"], check=True, timeout=120)
    node = Path(playwright.__file__).parent / "driver" / "node"
    made = scratch / "made"
    made.mkdir()
    for packed in (scratch / "package" / "bin").glob("*.br"):
        plain = made / packed.stem
        subprocess.run([node, "-e", UNPACK, packed, plain], check=True, timeout=120)
        if plain.suffix == ".tar":
            subprocess.run(["tar", "-xf", plain, "-C", made], check=True, timeout=60)
            plain.unlink()
    (made / "chromium").chmod(0o755)
    return made
