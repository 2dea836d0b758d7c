"""The gateway as a client meets it: its API and its live feed, at the address that clients use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from convex_common.errors import ConvexError
from convex_scheduler.self_audit.ground import FRAMEWORK, RULE

PATIENCE: Final = 5.0
"""Seconds for one answer, so that one that hangs leaves time to try again."""

_TOLD: Final = 200


class Trouble(ConvexError):  # noqa: N818 - as the others of the tree
    """The gateway did not do what it was asked."""


class Api:
    """With one key. Every call raises Trouble, in words without the key."""

    def __init__(self, url: str, key: str) -> None:
        self._headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=url, headers=self._headers, timeout=PATIENCE, trust_env=False)
        self._live_url = url.replace("http", "ws", 1).rstrip("/") + "/ws"
        self._live: ClientConnection | None = None
        self._position: dict[str, Any] | None = None

    def close(self) -> None:
        """Leave nothing open."""
        self.hang_up()
        self._http.close()

    def hang_up(self) -> None:
        """Close the socket; `follow` opens another."""
        live, self._live = self._live, None
        if live is not None:
            with suppress(WebSocketException, OSError):
                live.close()

    def follow(self) -> None:
        """Have a socket that follows the framework, from where the one before it stood."""
        if self._live is not None:
            return
        try:
            self._live = connect(
                self._live_url,
                additional_headers=self._headers,
                open_timeout=PATIENCE,
                close_timeout=1,
                proxy=None,
                compression=None,
            )
            since = {} if self._position is None else {"since": self._position}
            self._live.send(json.dumps({"type": "subscribe", "framework_id": str(FRAMEWORK), **since}))
            while (frame := json.loads(self._live.recv(timeout=PATIENCE)))["type"] != "subscribed":
                if frame["type"] in {"auth_failed", "error"}:
                    raise Trouble(f"/ws: {frame.get('message', frame['type'])}"[:_TOLD])
            if self._position is None:
                self._position = {"epoch": frame["epoch"], "offset": frame["offset"]}
        except Trouble:
            self.hang_up()
            raise
        except (WebSocketException, OSError, TimeoutError) as error:
            self.hang_up()
            raise _away("/ws", error) from None

    def next_frame(self, seconds: float) -> Mapping[str, Any] | None:
        """The feed's next frame, None where there is none for so long."""
        self.follow()
        assert self._live is not None
        try:
            frame: Mapping[str, Any] = json.loads(self._live.recv(timeout=seconds))
        except TimeoutError:
            return None
        except (WebSocketException, OSError) as error:
            self.hang_up()
            raise _away("/ws", error) from None
        return frame

    def trigger(self, labels: Mapping[str, str]) -> None:
        """Send a trigger of the rule."""
        self._post("/triggers", {"alert_rule_id": str(RULE), "current_value": 1, "labels": dict(labels)})

    def alerts(self, **query: str) -> list[Mapping[str, Any]]:
        """The newest of the framework's."""
        return self._items("/alerts", framework_id=str(FRAMEWORK), **query)

    def deliveries(self, alert_id: str) -> list[Mapping[str, Any]]:
        """The ledger of an alert."""
        return self._items("/deliveries", alert_id=alert_id)

    def acknowledge(self, alert_id: str) -> None:
        """As a responder does; one that is acknowledged or resolved already is as it should be."""
        self._post(f"/alerts/{alert_id}/acknowledge", None, done=(409,))

    def resolve(self, alert_id: str) -> None:
        """The same."""
        self._post(f"/alerts/{alert_id}/resolve", None, done=(409,))

    def resolve_all(self, alert_ids: list[str]) -> None:
        """Up to 500."""
        self._post("/alerts/bulk", {"ids": alert_ids, "action": "resolve"})

    def _items(self, path: str, **query: str) -> list[Mapping[str, Any]]:
        items: list[Mapping[str, Any]] = self._asked("GET", path, params={"limit": "200", **query}).json()["items"]
        return items

    def _post(self, path: str, body: Any, *, done: tuple[int, ...] = ()) -> None:
        self._asked("POST", path, done=done, **({} if body is None else {"json": body}))

    def _asked(self, method: str, path: str, *, done: tuple[int, ...] = (), **more: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, f"/api/v1{path}", **more)
        except httpx.HTTPError as error:
            raise _away(f"{method} {path}", error) from None
        if answer.status_code >= 400 and answer.status_code not in done:
            raise Trouble(f"{method} {path} answered {answer.status_code}")
        return answer


def _away(what: str, error: Exception) -> Trouble:
    return Trouble(f"{what}: {str(error) or type(error).__name__}"[:_TOLD])
