"""A wheel of the gateway has the dashboard in it, or there is no wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGE = Path("src/convex_gateway/dashboard/built/index.html")


class Dashboard(BuildHookInterface):  # type: ignore[type-arg]
    """Refuses to pack what would answer every page with "run make web"."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """An editable installation has no need of it: there the folder is looked at as it is."""
        if version != "editable" and not (Path(self.root) / PAGE).is_file():
            raise RuntimeError(f"{PAGE} is missing: run `make web` first, which builds the dashboard")
