"""The first workspace of an installation, its owner and a key: made once, however often and by however many."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from convex_admin.database import owner_url
from convex_common.domain.api_key import PRINCIPAL, mint
from convex_common.errors import Invalid
from convex_common.postgres.bootstrap import make_workspace

_SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: nothing of it where the workspace was there. `key` is None where it went into a file."""

    workspace: str
    workspace_id: str | None
    owner: str | None
    key: str | None
    key_file: str | None

    @property
    def anything(self) -> bool:
        """Whether it was not there before."""
        return self.workspace_id is not None


def bootstrap(
    *, workspace: str, name: str | None, owner: str, email: str | None, key_file: Path | None, keyed: bool
) -> Made:
    """Make the workspace, unless it is there. Invalid names the option."""
    if not _SLUG.fullmatch(workspace):
        raise Invalid("--workspace", "has up to 63 lower-case letters, digits and dashes, none at an end")
    if not 0 < len(owner) <= 255 or owner.startswith(PRINCIPAL) or "\0" in owner:
        raise Invalid("--owner", f"is a user id of up to 255 characters that does not start with {PRINCIPAL}")
    minted = mint() if keyed else None

    def keep() -> None:
        if key_file is not None and minted is not None:
            _write(key_file, minted.text)

    workspace_id = make_workspace(
        owner_url(), slug=workspace, name=name or workspace, owner_user=owner, email=email, key=minted, keep=keep
    )
    if workspace_id is None:
        return Made(workspace, None, None, None, None)
    text = minted.text if minted is not None and key_file is None else None
    written = str(key_file) if minted is not None and key_file is not None else None
    return Made(workspace, str(workspace_id), owner, text, written)


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and for nobody else to read."""
    try:
        descriptor, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    except OSError as error:
        raise Invalid("--key-file", f"cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(descriptor)
    Path(made).replace(path)
