"""A service as small as can be: ready at once, ends on SIGTERM, exits with 2 when told so by its environment."""

from __future__ import annotations

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        return


if os.environ.get("FAKE_SETTING") == "wrong":
    print("FAKE_SETTING: is wrong; leave it out", file=sys.stderr)
    sys.exit(2)
if os.environ.get("FAKE_SETTING") == "broken":
    raise ImportError("a module is missing")

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print(f'{{"level":"WARNING","msg":"{sys.argv[1]} warns"}}', flush=True)
HTTPServer(("127.0.0.1", int(sys.argv[2])), Ready).serve_forever()
