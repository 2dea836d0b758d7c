"""`convex dev up`: puts the plan together from flags and environment, and runs it."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from convex_dev import keys, schema, services, takeover, tokens
from convex_dev.errors import DevError
from convex_dev.home import Home
from convex_dev.keys import Keys
from convex_dev.ports import Ports, port_range
from convex_dev.spec import Spec
from convex_dev.state import ProcessState, running
from convex_dev.stores.binaries import can_reach, installed, owner_uid, reachable_copy
from convex_dev.stores.location import data_side
from convex_dev.stores.postgres import EmbeddedPostgres
from convex_dev.stores.roles import service_url_for
from convex_dev.stores.valkey import EmbeddedValkey
from convex_dev.supervisor import Plan, run, say

STORE_SETTINGS = ("REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD", "DATABASE_OWNER_URL")

MakeServices = Callable[[Mapping[str, str], str, Ports, int, int], list[Spec]]
"""From environment, owner's URL, ports, the gateway's port and the number of processors."""


@dataclass(frozen=True)
class Options:
    """What the person asked for. Port 0 is any free one."""

    home: Path
    port: int = 8080
    demo: bool = True
    processors: int = 1


@dataclass(frozen=True)
class Stores:
    """Where the services find their stores, and those of them that run here."""

    settings: Mapping[str, str] = field(repr=False)
    owner_url: str = field(repr=False)
    specs: tuple[Spec, ...] = ()
    external: tuple[ProcessState, ...] = ()
    postgres: EmbeddedPostgres | None = None


def up(options: Options, given: Mapping[str, str], make_services: MakeServices = services.specs) -> int:
    """Run the installation until it is told to stop; the exit code. `given` is the environment."""
    home = Home(options.home.resolve())
    try:
        home.prepare()
        with home.lock():
            ended = takeover.end_leftovers(home)
            if ended:
                say(f"ended {ended} processes that an earlier run left over")
            plan = compose(home, options, given, make_services)
            return run(plan, lambda: announce(home, plan))
    except DevError as error:
        say(str(error))
        return error.exit_code


def compose(home: Home, options: Options, given: Mapping[str, str], make_services: MakeServices) -> Plan:
    """The plan: ports taken, keys at hand, nothing started yet."""
    ports = Ports(home, port_range(given))
    port = ports.claim(options.port) if options.port else ports.take("http")
    kept = keys.load_or_make(home)
    stores = find_stores(home, kept, ports, given)
    settings = {**stores.settings, **security(kept, given), "METRICS_HOST": "127.0.0.1"}
    env = {name: value for name, value in _child_environment(given).items() if name not in STORE_SETTINGS} | settings
    return Plan(
        home=home,
        url=f"http://127.0.0.1:{port}",
        owner_url=stores.owner_url,
        environment=settings,
        stores=stores.specs,
        services=make_services(env, stores.owner_url, ports, port, options.processors),
        extras=(services.demo(env, home.path),) if options.demo else (),
        external=stores.external,
        prepare=schema.preparation(
            home, stores.owner_url, {**env, "DATABASE_OWNER_URL": stores.owner_url}, stores.postgres
        ),
    )


def find_stores(home: Home, kept: Keys, ports: Ports, given: Mapping[str, str]) -> Stores:
    """Embedded ones, except where the environment names others."""
    specs: list[Spec] = []
    external: list[ProcessState] = []
    settings: dict[str, str] = {}
    if given.get("REDIS_URL") or given.get("REDIS_HOST"):
        url = given.get("REDIS_URL") or _redis_url(given)
        settings |= {"REDIS_URL": url, "CACHE_REDIS_URL": given.get("CACHE_REDIS_URL") or url}
        external.append(ProcessState("redis", "store", None, None, None, 0, url))
    else:
        valkey = EmbeddedValkey(home, ports.take("valkey"), kept.valkey_password)
        settings |= {
            "REDIS_URL": valkey.broker_url,
            "CACHE_REDIS_URL": given.get("CACHE_REDIS_URL") or valkey.cache_url,
        }
        specs.append(valkey.spec())
    if given.get("DATABASE_URL"):
        owner_url, service_url = _external_database(home, kept, given)
        external.append(ProcessState("postgres", "store", None, None, None, 0, owner_url))
        return Stores(settings | {"DATABASE_URL": service_url}, owner_url, tuple(specs), tuple(external))
    postgres = embedded_postgres(home, kept, ports)
    settings |= {"DATABASE_URL": postgres.service_url}
    return Stores(settings, postgres.owner_url, (postgres.spec(), *specs), tuple(external), postgres)


def embedded_postgres(home: Home, kept: Keys, ports: Ports) -> EmbeddedPostgres:
    """In the home folder, or where the database's own user can get to its data and to its programs."""
    uid = owner_uid()
    side = data_side(home, uid)
    if side != home.path:
        say(f"{home.path} is closed to the database's own user; its data is kept in {side}")
    binaries = installed()
    if uid is not None and not can_reach(binaries.folder, uid):
        binaries = reachable_copy(binaries, side)
    return EmbeddedPostgres(side, binaries, ports.take("postgres"), kept.owner_password, kept.service_password, uid)


def security(kept: Keys, given: Mapping[str, str]) -> dict[str, str]:
    """Secrets and limits for this machine, the environment's where it has them."""
    made = {
        "JWT_SECRET": kept.jwt_secret,
        "JWT_ISSUER": "convex",
        "JWT_AUDIENCE": "convex",
        "ENCRYPTION_KEYS": kept.encryption_key,
        "EGRESS_ALLOW": "127.0.0.0/8",
    }
    return {name: given.get(name) or value for name, value in made.items()}


def announce(home: Home, plan: Plan) -> None:
    """Three lines on stdout, the last one `ready URL`."""
    token = tokens.issue(running(home))[0]
    sys.stdout.write(f"dashboard {plan.url}/\ntoken {token}\nready {plan.url}\n")
    sys.stdout.flush()


def _external_database(home: Home, kept: Keys, given: Mapping[str, str]) -> tuple[str, str]:
    from convex_common.postgres.urls import plain

    url = plain(given["DATABASE_URL"])
    if given.get("DATABASE_OWNER_URL"):
        return plain(given["DATABASE_OWNER_URL"]), url
    role = f"convex_dev_{hashlib.sha256(str(home.path).encode()).hexdigest()[:8]}"
    return url, service_url_for(url, role, kept.service_password)


def _redis_url(given: Mapping[str, str]) -> str:
    password = given.get("REDIS_PASSWORD")
    secret = f":{quote(password, safe='')}@" if password else ""
    return f"redis://{secret}{given['REDIS_HOST']}:{given.get('REDIS_PORT', '6379')}/0"


def _child_environment(given: Mapping[str, str]) -> dict[str, str]:
    """Keeps compiled modules even where they are forbidden beside the sources: a start takes seconds less."""
    env = dict(given)
    if env.pop("PYTHONDONTWRITEBYTECODE", None) and os.access(sys.prefix, os.W_OK):
        env.setdefault("PYTHONPYCACHEPREFIX", str(Path(sys.prefix) / "pycache"))
    return env
