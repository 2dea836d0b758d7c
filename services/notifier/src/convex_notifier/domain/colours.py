"""The colours of notifications: the page's, on which white text is read and which are seen on black."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

COLOURS: Final[Mapping[str, str]] = {
    "critical": "#b91c1c",
    "error": "#c2410c",
    "warning": "#a16207",
    "info": "#1d4ed8",
    "resolved": "#15803d",
}
"""By tone: the severity, or `resolved`."""
