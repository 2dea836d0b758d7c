"""The first workspace of an installation, its owner and a key: made once, however often and by however many."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from convex_admin.database import owner_url
from convex_common.domain.api_key import PRINCIPAL, Minted, chosen, mint
from convex_common.errors import Invalid
from convex_common.postgres.bootstrap import make_workspace

KEY_VARIABLE: Final = "BOOTSTRAP_API_KEY"
"""Names a key that was chosen beforehand, such as one in a Kubernetes Secret. No option, since others see those."""

_SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: nothing of it where the workspace was there. `key` is None where it is elsewhere already."""

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
    *,
    workspace: str,
    name: str | None,
    owner: str,
    email: str | None,
    key_file: Path | None,
    keyed: bool,
    given_key: str | None = None,
) -> Made:
    """Make the workspace, unless it is there. Invalid names the option."""
    if not _SLUG.fullmatch(workspace):
        raise Invalid("--workspace", "has up to 63 lower-case letters, digits and dashes, none at an end")
    if not 0 < len(owner) <= 255 or owner.startswith(PRINCIPAL) or "\0" in owner:
        raise Invalid("--owner", f"is a user id of up to 255 characters that does not start with {PRINCIPAL}")
    minted = _key(given_key) if keyed else None

    def keep() -> None:
        if key_file is not None and minted is not None:
            _write(key_file, minted.text)

    workspace_id = make_workspace(
        owner_url(), slug=workspace, name=name or workspace, owner_user=owner, email=email, key=minted, keep=keep
    )
    if workspace_id is None:
        return Made(workspace, None, None, None, None)
    text = minted.text if minted is not None and key_file is None and given_key is None else None
    written = str(key_file) if minted is not None and key_file is not None else None
    return Made(workspace, str(workspace_id), owner, text, written)


def _key(given: str | None) -> Minted:
    """The one that was chosen for it, which is never shown, or a new one."""
    if given is None:
        return mint()
    minted = chosen(given)
    if minted is None:
        raise Invalid(
            KEY_VARIABLE,
            "is not cvx_, 8 letters or digits, _, and 43 letters or digits",
            cure='e.g. `echo "cvx_$(openssl rand -hex 4)_$(openssl rand -hex 22 | cut -c 2-)"`',
        )
    return minted


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
