"""The gateway's composition root."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from convex_common import logging as json_logging
from convex_common import tracing
from convex_common.exits import Exit
from convex_common.health import StatusServer
from convex_common.ids import Ids
from convex_common.measures import Measures
from convex_common.metrics import Metrics
from convex_common.postgres.alert_actions import AlertActions
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.database import Database
from convex_common.redis.async_sender import AsyncSender
from convex_common.redis.cache.cache import Cache
from convex_common.redis.cache.positions import NotedPublisher, Positions
from convex_common.redis.flusher import flusher_of
from convex_common.redis.live import LivePublisher
from convex_common.redis.measures import MeasureStore
from convex_common.redis.rates import SharedRates
from convex_common.redis.sender import Sender
from convex_common.secretbox import SecretBox
from convex_common.serving import exit_code
from convex_common.settings import load
from convex_common.stores import CACHE, POSTGRES, REDIS
from convex_gateway import api_keys
from convex_gateway.app import Lifespan, create_app
from convex_gateway.auth import Authenticator
from convex_gateway.context import Gateway
from convex_gateway.documents import Documents
from convex_gateway.garbage import Garbage
from convex_gateway.head_limit import HeadLimit
from convex_gateway.ingest.writer import InboxWriter
from convex_gateway.jwks import KeySet
from convex_gateway.limits.limiter import RateLimits
from convex_gateway.limits.policies import Policies
from convex_gateway.limits.quotas import Quotas
from convex_gateway.live.hub import Hub
from convex_gateway.live.server import DrainingServer, options
from convex_gateway.memberships import Memberships
from convex_gateway.memberships import in_database as members_in
from convex_gateway.origins import Site
from convex_gateway.positions import in_database
from convex_gateway.settings import GatewaySettings
from convex_gateway.signin.oidc import CALLBACK
from convex_gateway.signin.provider import Provider
from convex_gateway.signin.sessions import Sessions
from convex_gateway.tokens import JwksSource, SecretSource, Source, TokenReader
from convex_gateway.vigil import Vigil

log = logging.getLogger(__name__)

APPLICATION = "convex-gateway"
KEEP_ALIVE = 75
GRACE = 10
"""Seconds that requests under way may take once it is told to stop."""


def main() -> int:
    """Run until SIGTERM or SIGINT. Exit 2 and one line where a setting is wrong."""
    return exit_code(lambda: run(load(GatewaySettings)))


def run(settings: GatewaySettings) -> int:
    """Wire everything and serve. Stores may be away: it starts without them, answers 503, and heals by itself."""
    json_logging.configure("gateway", settings.log_level)
    provider = tracing.configure("gateway", settings)
    metrics = Metrics(CollectorRegistry())
    metrics.tell_component("gateway")
    metrics.expect_people()
    postgres, redis, cache = (metrics.stores.watch(store) for store in (POSTGRES, REDIS, CACHE))
    threads = Database(settings.database_url, APPLICATION, size=6, watch=postgres)
    publisher = LivePublisher(settings.cache_redis_url, settings.queue_prefix, watch=cache)
    sender = Sender(settings.redis_url, settings.queue_prefix, watch=redis)
    gateway = wired(settings, metrics, threads, publisher, sender)
    app = create_app(gateway, lifespan=_lifespan(gateway, threads))

    async def drain() -> None:
        gateway.serving = False
        await gateway.hub.drain()

    flusher = flusher_of(gateway.measures, settings.cache_redis_url, settings.queue_prefix, levels=True, watch=cache)
    server = DrainingServer(_config(settings, app), drain)
    status = StatusServer(
        settings.prometheus_port,
        gateway.metrics.registry if settings.prometheus_enabled else None,
        ready=lambda: gateway.serving,
        live=lambda: True,
        host=settings.metrics_host,
    )
    # uvicorn raises the signal once more when it has stopped, for handlers it found; ours has nothing left to do.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    status.start()
    flusher.start()
    try:
        server.run()
    finally:
        flusher.stop()
        status.stop()
        publisher.close()
        sender.close()
        if provider is not None:
            provider.shutdown()
    return Exit.DONE if server.started else Exit.FAILED


def wired(
    settings: GatewaySettings, metrics: Metrics, threads: Database, publisher: LivePublisher, sender: Sender
) -> Gateway:
    measures = Measures()
    ids = Ids()
    postgres = metrics.stores.watch(POSTGRES)
    database = AsyncDatabase(settings.database_url, APPLICATION, watch=postgres)
    hints = AsyncSender(settings.redis_url, settings.queue_prefix, watch=metrics.stores.watch(REDIS))
    documents = Documents()
    keys = KeySet(partial(documents.get, settings.jwt_jwks_url)) if settings.jwt_jwks_url else None
    lifetime = dt.timedelta(seconds=settings.session_ttl)
    sessions = Sessions(database, metrics, ids, Site(settings.public_url), lifetime=lifetime)
    members = Memberships(members_in(database), metrics, measures)
    positions = Positions(in_database(database))
    keys_of_api = api_keys.in_database(database, metrics)
    authenticator = Authenticator(_tokens(settings, keys), members, keys_of_api, sessions)
    return Gateway(
        settings=settings,
        database=database,
        authenticator=authenticator,
        actions=AlertActions(threads, ids, NotedPublisher(publisher, positions), sender),
        metrics=metrics,
        measures=measures,
        measure_store=MeasureStore(settings.cache_redis_url, settings.queue_prefix),
        cache=Cache(settings.cache_redis_url, settings.queue_prefix, positions, metrics, measures),
        ids=ids,
        sender=hints,
        writer=InboxWriter(settings.database_url, ids, hints, watch=postgres),
        hub=Hub(
            database, settings.cache_redis_url, settings.queue_prefix, metrics, measures, forget=authenticator.forget
        ),
        publisher=publisher,
        secrets=SecretBox(settings.encryption_key_list),
        sessions=sessions,
        quotas=Quotas.of(settings),
        limits=RateLimits(Policies.of(settings), SharedRates(settings.cache_redis_url, settings.queue_prefix), metrics),
        documents=documents,
        keys=keys,
        provider=_provider(settings, documents),
    )


def _tokens(settings: GatewaySettings, keys: KeySet | None) -> TokenReader:
    sources: list[Source] = []
    if secrets := settings.jwt_secrets:
        issuer = settings.jwt_secret_issuer or settings.jwt_issuer
        sources.append(SecretSource(*secrets, algorithms=settings.secret_algorithms, issuer=issuer))
    if keys is not None:
        sources.append(JwksSource(keys, algorithms=settings.jwks_algorithms, issuer=settings.jwt_issuer))
    return TokenReader(*sources, audience=settings.jwt_audience)


def _provider(settings: GatewaySettings, documents: Documents) -> Provider | None:
    if not settings.oidc_issuer:
        return None
    return Provider(
        documents,
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value() if settings.oidc_client_secret else None,
        scopes=settings.oidc_scopes,
        redirect_uri=settings.public_url.rstrip("/") + CALLBACK,
    )


def _config(settings: GatewaySettings, app: FastAPI) -> uvicorn.Config:
    """What uvicorn logs below a warning are sockets with their queries, in which careless clients put tokens."""
    return uvicorn.Config(
        app,
        host=settings.gateway_host,
        port=settings.gateway_port,
        loop="uvloop",
        http=HeadLimit,
        lifespan="on",
        log_config=None,
        log_level=max(logging.WARNING, logging.getLevelNamesMapping()[settings.log_level]),
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
        **options(settings.ws_server),
    )


def _lifespan(gateway: Gateway, threads: Database) -> Lifespan:
    """Starts what works behind the routes before the first request, and stops it after the last."""

    stores = gateway.metrics.stores
    vigil = Vigil({stores.watch(POSTGRES): gateway.database.reachable, stores.watch(REDIS): gateway.sender.reachable})

    garbage = Garbage(lambda: gateway.hub.sockets)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        threads.open()
        await vigil.start()
        await gateway.writer.start()
        await gateway.hub.start()
        if gateway.keys is not None:
            gateway.keys.start()
        garbage.start()
        gateway.serving = True
        log.info("serving", extra={"port": gateway.settings.gateway_port})
        yield
        gateway.serving = False
        await garbage.stop()
        await vigil.stop()
        await gateway.writer.stop()
        await gateway.hub.stop()
        if gateway.keys is not None:
            await gateway.keys.stop()
        await gateway.documents.aclose()
        await gateway.sender.aclose()
        await gateway.cache.aclose()
        await gateway.limits.aclose()
        await gateway.database.close()
        await asyncio.to_thread(threads.close)

    return lifespan


if __name__ == "__main__":
    sys.exit(main())
