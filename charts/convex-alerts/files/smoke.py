"""What `helm test` asks of an installation, from a pod of its own: nothing is changed by it."""

import base64
import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

GATEWAY = os.environ["GATEWAY_URL"]
READY = os.environ["READY_URLS"].split()
PATIENCE = float(os.environ.get("PATIENCE_SECONDS", "120"))
BASE64_OF_16_BYTES = base64.b64encode(bytes(16)).decode()


def ask(url, key=None):
    """Status and body."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def ready(url):
    """A service says that it does its work."""
    status, _ = ask(url)
    assert status == 200, f"{url} answers {status}"


def refuses_strangers():
    """Nobody is let in without credentials."""
    status, _ = ask(f"{GATEWAY}/api/v1/me")
    assert status == 401, f"/api/v1/me answers {status} without credentials"


def knows_its_key():
    """The first API key works, if the chart knows it."""
    key = os.environ.get("BOOTSTRAP_API_KEY")
    if not key:
        return
    status, body = ask(f"{GATEWAY}/api/v1/me", key)
    assert status == 200, f"/api/v1/me answers {status} to the first API key"
    assert json.loads(body)["role"] == "owner", "the first API key is not an owner's"


def opens_sockets():
    """A WebSocket is opened, and a false token is told so: the way through proxies and policies is clear."""
    at = urlsplit(GATEWAY)
    with socket.create_connection((at.hostname, at.port or 80), timeout=10) as connection:
        connection.sendall(
            (
                f"GET /ws HTTP/1.1\r\nHost: {at.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {BASE64_OF_16_BYTES}\r\n"
                "Sec-WebSocket-Protocol: convex.v1, bearer.none\r\n\r\n"
            ).encode()
        )
        answer = b""
        while b"auth_failed" not in answer:
            part = connection.recv(4096)
            assert part, f"/ws answers {answer[:80]!r}"
            answer += part
    assert answer.startswith(b"HTTP/1.1 101 "), f"/ws answers {answer[:80]!r}"


def main():
    """Each check until it holds, or until patience ends: pods may have been made a moment ago."""
    checks = {f"{url} is ready": lambda url=url: ready(url) for url in [f"{GATEWAY}/readyz", *READY]}
    checks |= {check.__doc__.split(".")[0]: check for check in (refuses_strangers, knows_its_key, opens_sockets)}
    deadline = time.monotonic() + PATIENCE
    for name, check in checks.items():
        while True:
            try:
                check()
            except (AssertionError, OSError, KeyError, ValueError) as error:
                if time.monotonic() >= deadline:
                    sys.stdout.write(f"FAILED {name}: {error}\n")
                    return 1
                time.sleep(2)
            else:
                sys.stdout.write(f"ok     {name}\n")
                break
    return 0


if __name__ == "__main__":
    sys.exit(main())
