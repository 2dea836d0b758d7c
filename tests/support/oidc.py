"""An identity provider of a test's own, which may lie: about people, to us, or by not answering as one."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from tests.support.issuer import SigningKey, key_set, signing_key

CODE = "the-code-that-is-good-once"
ACCESS_TOKEN = "the-access-token"

Claims = dict[str, Any]


@dataclass
class Answer:
    """What an endpoint says, and after how many seconds."""

    body: bytes
    status: int = 200
    after: float = 0.0
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def answer(content: object, status: int = 200, **more: Any) -> Answer:
    return Answer(json.dumps(content).encode(), status, **more)


@dataclass
class Lie:
    """What this provider does otherwise than an honest one."""

    claims: Callable[[Claims], Claims] = lambda claims: claims
    sign: Callable[[Claims, SigningKey], str] = lambda claims, key: key.sign(claims)
    token: Answer | None = None
    userinfo: Answer | None = None


@dataclass(frozen=True)
class TokenRequest:
    """How a code was exchanged."""

    form: dict[str, str]
    authorization: str | None


class Provider:
    """Honest as long as `lie` is; the code is good once, for who knows the verifier of the challenge."""

    def __init__(self) -> None:
        self.lie = Lie()
        self.key = signing_key("first")
        self.exchanges: list[TokenRequest] = []
        self.told: list[str] = []
        """ID tokens that it gave out."""
        self.url = ""
        self.client_id = "convex"
        self._asked: dict[str, str] = {}

    def asked(self, query: dict[str, str]) -> None:
        """Somebody signs in here who was sent with this query."""
        self._asked = query

    def honest_claims(self) -> Claims:
        now = int(time.time())
        return {
            "iss": self.url,
            "aud": self.client_id,
            "sub": "ada",
            "iat": now,
            "exp": now + 60,
            "nonce": self._asked["nonce"],
            "email": "ada@example.com",
            "email_verified": True,
        }

    def description(self) -> Answer:
        return answer(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "userinfo_endpoint": f"{self.url}/userinfo",
                "jwks_uri": f"{self.url}/keys",
            }
        )

    def exchange(self, request: TokenRequest) -> Answer:
        self.exchanges.append(request)
        if self.lie.token is not None:
            return self.lie.token
        digest = hashlib.sha256(request.form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if request.form.get("code") != CODE or challenge != self._asked.pop("code_challenge", None):
            return answer({"error": "invalid_grant"}, 400)
        id_token = self.lie.sign(self.lie.claims(self.honest_claims()), self.key)
        self.told.append(id_token)
        return answer({"access_token": ACCESS_TOKEN, "token_type": "Bearer", "id_token": id_token})

    def get(self, path: str, authorization: str | None) -> Answer:
        match path:
            case "/.well-known/openid-configuration":
                return self.description()
            case "/keys":
                return Answer(key_set(self.key))
            case "/userinfo" if authorization == f"Bearer {ACCESS_TOKEN}":
                return self.lie.userinfo or answer({"sub": "ada"})
        return answer({}, 404)


@contextmanager
def lying_provider() -> Iterator[Provider]:
    """At an address of this machine."""
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(provider.get(self.path, self.headers["Authorization"]))

        def do_POST(self) -> None:
            form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self._say(provider.exchange(TokenRequest(form, self.headers["Authorization"])))

        def _say(self, said: Answer) -> None:
            over.wait(said.after)
            self.send_response(said.status)
            headers = {"Content-Type": said.content_type, "Content-Length": str(len(said.body)), **said.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):  # who asked has heard enough
                self.wfile.write(said.body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    over = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
