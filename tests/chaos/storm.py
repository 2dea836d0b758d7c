"""A storm: triggers are posted while services and stores are killed at random, and nothing may be lost or doubled."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx
import psycopg
import redis

from convex_dev.stack import Stack
from tests.support.installation import Workspace

VICTIMS = ("gateway", "processor", "notifier", "valkey", "flushall", "postgres")
LEASED = "SELECT count(*) FROM deliveries WHERE status = 'pending' AND lease_token IS NOT NULL"


@dataclass
class Storm:
    """Posts `triggers` triggers over `fingerprints` fingerprints while each victim is killed `kills` times."""

    workspace: Workspace
    rule_id: str
    triggers: int
    fingerprints: int
    kills: int
    pause: tuple[float, float] = (0.5, 2.0)
    accepted: list[str] = field(default_factory=list)
    killed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    in_flight_at_kills: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _posted: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def stack(self) -> Stack:
        return self.workspace.stack

    def run(self) -> None:
        """Post and kill until both are done; posting is paced so that the killing goes on to its end."""
        posters = [threading.Thread(target=self._post, args=(n,), name=f"poster-{n}") for n in range(8)]
        killer = threading.Thread(target=self._kill, name="killer")
        for thread in (*posters, killer):
            thread.start()
        for thread in (*posters, killer):
            thread.join()
        self.stack.wait_healthy(timeout=120)

    def _post(self, number: int) -> None:
        draw = random.Random(number)
        with httpx.Client(base_url=self.stack.url, headers=self.workspace.client.headers, timeout=10.0) as client:
            while self._more():
                size = draw.choice((1, 1, 5, 20))
                body = [
                    {
                        "alert_rule_id": self.rule_id,
                        "current_value": 200 + draw.random(),
                        "labels": {"host": str(draw.randrange(self.fingerprints))},
                    }
                    for _ in range(size)
                ]
                self._take(client, body)

    def _more(self) -> bool:
        with self._lock:
            enough = len(self.accepted) >= self.triggers
        # What is left over keeps a trickle going until the last kill.
        if enough and not self._over.is_set():
            time.sleep(0.05)
        return not (enough and self._over.is_set())

    def _take(self, client: httpx.Client, body: list[dict[str, object]]) -> None:
        try:
            answer = client.post("/api/v1/triggers", json=body)
        except httpx.TransportError as error:
            with self._lock:
                self.refused[type(error).__name__] += 1
            time.sleep(0.05)
            return
        with self._lock:
            if answer.status_code == 202:
                self.accepted.extend(answer.json()["event_ids"])
                return
            self.refused[str(answer.status_code)] += 1
        assert answer.status_code == 503, answer.text
        assert "retry-after" in answer.headers
        time.sleep(0.05)

    def _kill(self) -> None:
        draw = random.Random(self.triggers)
        todo = [victim for victim in VICTIMS for _ in range(self.kills)]
        draw.shuffle(todo)
        try:
            for victim in todo:
                time.sleep(draw.uniform(*self.pause))
                self._kill_one(victim)
                self.killed[victim] += 1
        finally:
            self._over.set()

    def _kill_one(self, victim: str) -> None:
        if victim == "flushall":
            try:
                redis.Redis.from_url(self.stack.redis_url).flushall()
            except redis.RedisError:
                return
            return
        self.stack.kill(victim)
        if victim in ("notifier", "postgres"):
            self.in_flight_at_kills += self._leased()

    def _leased(self) -> int:
        """Deliveries under a lease right after a kill: attempts that may be made again."""
        deadline = time.monotonic() + 30.0
        while True:
            try:
                with psycopg.connect(self.stack.owner_url, connect_timeout=2) as owner:
                    row = owner.execute(LEASED).fetchone()
                    return int(row[0]) if row else 0
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
