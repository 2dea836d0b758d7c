"""The notifier's composition root."""

from __future__ import annotations

import logging
import sys
import time

from convex_common.contracts import DELIVERIES_DUE
from convex_common.exits import Exit
from convex_common.ids import Ids
from convex_common.measures import Measures
from convex_common.metrics import Metrics
from convex_common.postgres.database import Database, connect
from convex_common.redis.broker import Worker, make_broker
from convex_common.redis.live import LivePublisher
from convex_common.serving import WorkerProcess, exit_code
from convex_common.settings import load
from convex_common.stores import CACHE, POSTGRES, REDIS
from convex_notifier.breakers import Breakers
from convex_notifier.channels.channel import Channel
from convex_notifier.channels.email import Email, Unconfigured
from convex_notifier.channels.in_app import InApp
from convex_notifier.channels.slack import Slack
from convex_notifier.channels.webhook import Webhook
from convex_notifier.deliveries import Deliveries
from convex_notifier.destinations import Destinations
from convex_notifier.dispatcher import Dispatcher
from convex_notifier.domain.backoff import Backoff
from convex_notifier.domain.breaker import BreakerPolicy
from convex_notifier.domain.egress import Egress
from convex_notifier.handler import DeliveryHandler
from convex_notifier.http import Http
from convex_notifier.letters import Letters
from convex_notifier.network import Network, trusting
from convex_notifier.recipients import Recipients
from convex_notifier.session import Session
from convex_notifier.settings import NotifierSettings
from convex_notifier.settlements import Settlements
from convex_notifier.settler import Settler
from convex_notifier.smtp import MailServer

log = logging.getLogger(__name__)

GRACE = 10.0
"""Seconds that attempts under way have to finish, and to be saved, when the process is asked to stop."""

NAME = "convex-notifier"

POOL = 8
"""Connections to PostgreSQL at most for channels that use it: in-app notifications and e-mail."""


def main() -> int:
    """Run until SIGTERM or SIGINT. Exit 2 and one line where a setting is wrong."""
    return exit_code(lambda: run(load(NotifierSettings)))


class Notifier:
    """The process without its signals: everything wired, to be started and stopped."""

    def __init__(self, settings: NotifierSettings, metrics: Metrics, measures: Measures) -> None:
        threads = settings.notifier_threads
        postgres, redis, cache = (metrics.stores.watch(store) for store in (POSTGRES, REDIS, CACHE))
        self._sessions = [Session(lambda: connect(settings.database_url, NAME), postgres) for _ in range(2)]
        claiming, saving = self._sessions
        self._database = Database(settings.database_url, NAME, size=min(POOL, threads), watch=postgres)
        self._publisher = LivePublisher(settings.cache_redis_url, settings.queue_prefix, watch=cache)
        self._http = Http(Network(settings.egress), connections=threads)
        self._mail = _mail_server(settings)
        deliveries = Deliveries(
            claiming, per_target=settings.notifier_per_target, lease_seconds=settings.notifier_lease_seconds
        )
        self._settler = Settler(Settlements(saving).save, saved=self._wake)
        pause = settings.notifier_breaker_seconds
        handler = DeliveryHandler(
            self._settler.settle,
            {
                "webhook": Webhook(self._http),
                "slack": Slack(self._http, settings.public_url),
                "email": self._email(settings),
                "in_app": InApp(self._database, self._publisher),
            },
            Breakers(BreakerPolicy(pause=pause, longest=3 * pause)),
            Destinations(settings.secret_box),
            Ids(),
            metrics,
            measures,
            backoff=Backoff(base=settings.notifier_backoff_seconds),
            attempt_seconds=settings.notifier_attempt_seconds,
        )
        self.dispatcher = Dispatcher(
            deliveries.take,
            handler.handle,
            deliveries.give_back,
            threads=threads,
            every=settings.notifier_poll_seconds,
        )
        self._broker = make_broker(settings.redis_url, settings.queue_prefix, watch=redis)
        self._worker = Worker(self._broker, {DELIVERIES_DUE: lambda _: self._wake()}, threads=1)

    def is_alive(self) -> bool:
        """Whether the threads run without which nothing is delivered."""
        return self.dispatcher.is_alive() and self._settler.is_alive()

    def start(self) -> None:
        """Start every thread; needs neither PostgreSQL nor Redis to be there yet."""
        self._database.open()
        self._worker.start()
        self._settler.start()
        self.dispatcher.start()

    def stop(self) -> None:
        """Stop in the order that sends nothing twice: claim no more, finish what is under way, save it, then let go."""
        deadline = time.monotonic() + GRACE
        if self.dispatcher.stop(GRACE):
            self._http.close()
            if self._mail is not None:
                self._mail.close()
        else:
            log.warning("attempts under way are left to their leases' end")
        if self._settler.stop(max(1.0, deadline - time.monotonic())) and not self.dispatcher.is_alive():
            for session in self._sessions:
                session.close()
        self._worker.stop(timeout=2.0)
        self._publisher.close()
        self._database.close()
        self._broker.close()

    def _email(self, settings: NotifierSettings) -> Channel:
        if self._mail is None or settings.smtp_from is None:
            return Unconfigured()
        letters = Letters(settings.smtp_from, settings.public_url)
        return Email(self._mail, letters, settings.smtp_from, Recipients(self._database))

    def _wake(self) -> None:
        self.dispatcher.wake()


def _mail_server(settings: NotifierSettings) -> MailServer | None:
    """The operator's own server: the egress rules are for addresses that tenants name."""
    account = settings.mail_account
    if account is None:
        return None
    return MailServer(account, Network(Egress.anywhere()), trusting(), idle=settings.notifier_per_target)


def run(settings: NotifierSettings) -> int:
    """Run until a signal."""
    process = WorkerProcess("notifier", settings)
    notifier = Notifier(settings, process.metrics, process.measures)
    with process.serving(ready=notifier.dispatcher.healthy.is_set, live=notifier.is_alive) as stopping:
        notifier.start()
        log.info("delivering", extra={"threads": settings.notifier_threads})
        stopping.wait()
        notifier.stop()
    return Exit.DONE


if __name__ == "__main__":
    sys.exit(main())
