"""Fuzz the parser of WebSocket frames, led by coverage.

    python -m tests.fuzz CORPUS [-max_total_time=SECONDS …]

What is found interesting is kept in the folder CORPUS, and what fails beside it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["convex_gateway.live.frames"]):
    from tests.fuzz.frames import one, seeds


def main() -> None:
    """Until the time is over, or something fails."""
    corpus = Path(sys.argv[1])
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], "-max_len=400", *sys.argv[1:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
