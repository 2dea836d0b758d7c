"""What keeps the local installation from running, each in one line with its cure."""

# ruff: noqa: N818 - they read as states where they are raised: `raise Refused(…)`

from __future__ import annotations


class DevError(Exception):
    """One line for the person at the terminal; `exit_code` is what the command ends with."""

    exit_code = 1


class Refused(DevError):
    """The request cannot be met as it was made: a port or a folder is taken, a setting is malformed."""

    exit_code = 2


class StartFailed(DevError):
    """A store, the migration or a service did not come up."""


class NotRunning(DevError):
    """No installation runs in this folder."""
