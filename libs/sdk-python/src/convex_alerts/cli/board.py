"""The open alerts as the live table shows them: kept up by a feed's items, drawn at any time. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from convex_alerts.cli.output import age, cell, clean, cut
from convex_alerts.live.items import Broadcast, Change, Gap, Item, Notified, Snapshot, State
from convex_alerts.models import Alert

if TYPE_CHECKING:
    from rich.console import RenderableType

SEVERITIES: Final = ("critical", "error", "warning", "info")
STYLES: Final = {"critical": "bold bright_red", "error": "red", "warning": "yellow", "info": "cyan"}
LINGERS: Final = timedelta(seconds=20)
"""For how long what was resolved is still shown."""


@dataclass
class Board:
    """What is open, what was resolved a moment ago, and how the connection is."""

    where: str
    state: State = State.IDLE
    reason: str = ""
    changes: int = 0
    note: str = ""
    _alerts: dict[str, Alert] = field(default_factory=dict)

    def replace(self, alerts: Iterable[Alert]) -> None:
        """These are the open ones."""
        self._alerts = {alert.id: alert for alert in alerts}

    def apply(self, item: Item) -> None:
        """What a feed gave; after a gap the lists have to be read again."""
        match item:
            case Change(alert=alert):
                self.changes += 1
                self._alerts[alert.id] = alert
            case Snapshot(alerts=alerts):
                self.replace(alerts)
            case Broadcast(data=data):
                self.note = clean(f"message: {data}")
            case Gap() | Notified():
                pass

    def rows(self, now: datetime) -> list[Alert]:
        """What to show: the worst first, then the newest."""
        gone = [alert.id for alert in self._alerts.values() if alert.resolved_at and now - alert.resolved_at > LINGERS]
        for alert_id in gone:
            del self._alerts[alert_id]
        newest_first = sorted(self._alerts.values(), key=lambda alert: alert.triggered_at, reverse=True)
        return sorted(newest_first, key=lambda alert: (not alert.is_open, _rank(alert.severity)))

    def draw(self, now: datetime, width: int, height: int) -> RenderableType:
        """The table, cut to the terminal; everything in it is text, whatever it says."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        rows = self.rows(now)
        room = max(height - 5, 1)
        table = Table(box=None, expand=True, pad_edge=False, header_style="dim")
        for name, most in (("SEVERITY", 8), ("STATUS", 12), ("AGE", 4), ("TIMES", 6), ("VALUE", 10)):
            table.add_column(name, width=most, no_wrap=True, justify="right" if name in ("TIMES", "VALUE") else "left")
        table.add_column("ALERT", ratio=1, no_wrap=True, overflow="ellipsis")
        for alert in rows[:room]:
            style = STYLES.get(alert.severity, "") if alert.is_open else "dim"
            told = [
                alert.severity,
                alert.status,
                age(alert.triggered_at, now),
                str(alert.occurrences),
                cell(alert.current_value),
                f"{clean(alert.title)}  {cell(alert.labels)}",
            ]
            dim = "dim" if alert.status != "firing" else ""
            table.add_row(*(Text(text, style=style if place < 1 else dim) for place, text in enumerate(told)))
        return Group(self._head(rows, width), table, Text(self._foot(len(rows) - room), style="dim"))

    def _head(self, rows: list[Alert], width: int) -> RenderableType:
        from rich.text import Text

        counted = {severity: sum(row.is_open and row.severity == severity for row in rows) for severity in SEVERITIES}
        told = ", ".join(f"{count} {severity}" for severity, count in counted.items() if count) or "nothing is open"
        good = self.state is State.CONNECTED
        head = Text(f"● {self.state.value}", style="green" if good else "bold yellow")
        head.append(cut(f"  {self.where}  {told}", max(width - 20, 10)), style="bold")
        if not good and self.reason:
            head.append(f"\n{cut(clean(self.reason), width)}", style="yellow")
        return head

    def _foot(self, hidden: int) -> str:
        more = f"{hidden} more below  " if hidden > 0 else ""
        note = f"  {self.note}" if self.note else ""
        return f"{more}q quit{note}"


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
