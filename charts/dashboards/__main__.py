"""Writes the chart's dashboards: `python -m charts.dashboards`."""

from __future__ import annotations

from charts.dashboards.shelf import FILES, contents


def main() -> None:
    """Write one file for each, and remove those that stand for none any more."""
    FILES.mkdir(parents=True, exist_ok=True)
    written = contents()
    for path in FILES.glob("*.json"):
        if path not in written:
            path.unlink()
    for path, content in written.items():
        path.write_text(content)


if __name__ == "__main__":
    main()
