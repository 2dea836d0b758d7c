"""Makes `tests.support` importable and its fixtures known; each file there holds the fixtures of one thing."""

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

pytest_plugins = [
    "tests.support.installation",
    "tests.support.postgres",
    "tests.support.receiver",
    "tests.support.valkey",
]

settings.register_profile("convex", deadline=None)  # a busy machine is no failure
settings.load_profile("convex")
