"""Who watches live, and whether they see everything."""

from __future__ import annotations

from charts.dashboards import limits
from charts.dashboards.frame import Board, Row
from charts.dashboards.panels import ORANGE, RED, Panel, Query, figure, series
from charts.dashboards.promql import LATELY, by_process, of, rate, risen, total

OPEN, HELD = "websocket_connections_active", "websocket_subscriptions_active"
SENT, RECEIVED, FAULTS = (f"websocket_{name}_total" for name in ("messages_sent", "messages_received", "errors"))
GATEWAY = 'component="gateway"'


def board() -> Board:
    """Over all gateways, then of each."""
    return Board(
        "websocket-connections",
        "WebSocket connections",
        "Who watches live, is it sent to them, and are sockets closed that should not be?",
        [
            Row("Now", _now(), height=4),
            Row("Sockets", _sockets(), height=9),
            Row("Frames", _frames(), height=9),
            Row("Gateways", _gateways(), height=9),
        ],
    )


def _now() -> list[Panel]:
    return [
        figure("Open sockets", "Over all gateways.", f"sum({of(OPEN)})", empty="no gateway"),
        figure("Subscriptions", "Over all gateways.", f"sum({of(HELD)})", empty="no gateway"),
        figure(
            "Frames sent",
            "Per second, over the last 10 minutes.",
            total(SENT, window=LATELY),
            unit="ops",
            empty="no gateway",
            decimals=1,
        ),
        figure(
            "Closed for a fault",
            "Sockets closed in the last 10 minutes for what they sent, their credentials or their slowness.",
            risen(FAULTS, window=LATELY),
            steps=[(1, ORANGE), (limits.SOCKET_FAULTS, RED)],
            empty="no gateway",
            decimals=0,
        ),
    ]


def _sockets() -> list[Panel]:
    return [
        series(
            "Open sockets and subscriptions",
            "Many at once down and up again is a gateway that was restarted: clients come back by themselves, and get "
            "what they missed.",
            Query(f"sum({of(OPEN)})", "sockets"),
            Query(f"sum({of(HELD)})", "subscriptions"),
            colours={"sockets": "blue", "subscriptions": "purple"},
        ),
        series(
            "Sockets closed for a fault",
            "Protocol errors, refused or expired credentials, slow consumers. A rate that stays is one client that "
            "comes back again and again.",
            Query(total(FAULTS), "closed"),
            unit="ops",
            colours={"closed": RED},
        ),
    ]


def _frames() -> list[Panel]:
    return [
        series(
            "Frames",
            "Written to sockets, and received from them.",
            Query(total(SENT), "sent"),
            Query(total(RECEIVED), "received"),
            unit="ops",
            colours={"sent": "blue", "received": "green"},
        ),
        series(
            "Frames for each event",
            "How many frames are sent for each event that is processed: about as many as sockets watch its workspace.",
            Query(f"{total(SENT)} / ({total('alerts_processed_total')} > 0)", "frames"),
            colours={"frames": "blue"},
        ),
    ]


def _gateways() -> list[Panel]:
    return [
        series(
            "Sockets of each gateway",
            "One that has many more than the others was there before them: sockets stay where they are.",
            Query(by_process(of(OPEN), GATEWAY), "{{process}}"),
            stacked=True,
            colours={},
        ),
        series(
            "Frames of each gateway",
            "Written to sockets.",
            Query(by_process(rate(SENT), GATEWAY), "{{process}}"),
            unit="ops",
            stacked=True,
            colours={},
        ),
        series(
            "CPU of each gateway",
            "Cores. Near one a gateway writes its frames late: add gateways before that.",
            Query(by_process(rate("process_cpu_seconds_total"), GATEWAY), "{{process}}"),
            lines=((0.9, ORANGE),),
            colours={},
        ),
    ]
