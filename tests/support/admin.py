"""`convex admin …` as a person runs it, in this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from typer.testing import CliRunner

from convex_admin.cli import app
from tests.support.postgres import Store


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.out)


def admin(owner_url: str | None, *words: str, **env: str) -> Ran:
    """Run `convex admin WORDS` with the owner's URL."""
    result = CliRunner().invoke(app, list(words), env={"DATABASE_OWNER_URL": owner_url, **env})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def admin_of(store: Store, *words: str, **env: str) -> Ran:
    """The same for a test's database."""
    return admin(store.owner_url, *words, **env)
