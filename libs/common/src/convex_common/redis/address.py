"""Where a Redis is and how to get in: the same URLs and TLS options as redis-py takes."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from convex_common.errors import Invalid
from convex_common.redis.resp import Replies, ReplyError, command

_CERT_REQS: Final = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
_READ_SIZE: Final = 65536

P = TypeVar("P", bound=asyncio.Protocol)


@dataclass(frozen=True)
class Address:
    """A parsed Redis URL; `path` for a Unix socket, else `host` and `port`."""

    host: str
    port: int
    path: str | None
    username: str | None
    password: str | None = field(repr=False)
    database: int
    tls: ssl.SSLContext | None = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Address:
        """The address in `redis://`, `rediss://` or `unix://`; Invalid if it is none."""
        try:
            parts = urlsplit(url)
            options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            unix = parts.scheme == "unix"
            if parts.scheme not in {"redis", "rediss", "unix"} or (unix and not parts.path):
                raise ValueError("it starts with none of redis://, rediss://, unix://")
            database = options.get("db") or ("0" if unix else parts.path.strip("/") or "0")
            return cls(
                host=unquote(parts.hostname or "localhost"),
                port=parts.port or 6379,
                path=unquote(parts.path) if unix else None,
                username=unquote(parts.username) if parts.username else None,
                password=unquote(parts.password) if parts.password else None,
                database=int(database),
                tls=_tls(options) if parts.scheme == "rediss" else None,
            )
        except (ValueError, OSError) as error:
            raise Invalid("redis_url", f"is no Redis address: {error}") from None

    def connect(self, timeout: float) -> socket.socket:
        """A connection, let in, on the right database; OSError otherwise. `timeout` does not bound the name look-up."""
        if self.path:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(timeout)
            connection.connect(self.path)
        else:
            connection = socket.create_connection((self.host, self.port), timeout)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_hostname=self.host)
            replies = Replies()
            for greeting in self.greetings():
                connection.sendall(greeting)
                while not (answer := replies.feed(_received(connection.recv(_READ_SIZE)))):
                    pass
                _admitted(answer[0])
        except BaseException:
            connection.close()
            raise
        return connection

    async def open(self, protocol: Callable[[], P]) -> P:
        """The protocol of a connection on which it may speak, its `greetings` first; bound it by `asyncio.timeout`."""
        loop = asyncio.get_running_loop()
        if self.path:
            return (await loop.create_unix_connection(protocol, self.path))[1]
        server_hostname = self.host if self.tls else None
        opened = await loop.create_connection(
            protocol, self.host, self.port, ssl=self.tls, server_hostname=server_hostname
        )
        return opened[1]

    async def connect_async(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The same on an event loop; bound it by `asyncio.timeout`."""
        if self.path:
            reader, writer = await asyncio.open_unix_connection(self.path)
        else:
            server_hostname = self.host if self.tls else None
            reader, writer = await asyncio.open_connection(
                self.host, self.port, ssl=self.tls, server_hostname=server_hostname
            )
        try:
            replies = Replies()
            for greeting in self.greetings():
                writer.write(greeting)
                while not (answer := replies.feed(_received(await reader.read(_READ_SIZE)))):
                    pass
                _admitted(answer[0])
        except BaseException:
            writer.close()
            raise
        return reader, writer

    def greetings(self) -> list[bytes]:
        """What lets a connection in, each to be answered without an error."""
        greetings = []
        if self.password is not None:
            login = (self.username, self.password) if self.username else (self.password,)
            greetings.append(command("AUTH", *login))
        if self.database:
            greetings.append(command("SELECT", self.database))
        return greetings


def _received(data: bytes) -> bytes:
    if not data:
        raise ConnectionResetError("Redis closed the connection")
    return data


def _admitted(answer: object) -> None:
    if isinstance(answer, ReplyError):
        raise ConnectionError(f"Redis refused the connection: {answer}")


def _tls(options: dict[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"), capath=options.get("ssl_ca_path"))
    wanted = options.get("ssl_cert_reqs", "required")
    if wanted not in _CERT_REQS:
        raise ValueError(f"ssl_cert_reqs is {wanted!r}, none of none, optional, required")
    required = _CERT_REQS[wanted]
    hostname = options.get("ssl_check_hostname", "true").lower() in {"true", "1", "yes"}
    context.check_hostname = hostname and required is ssl.CERT_REQUIRED
    context.verify_mode = required
    if certificate := options.get("ssl_certfile"):
        context.load_cert_chain(certificate, options.get("ssl_keyfile"))
    return context
