"""What all three do: answer /readyz, end on SIGTERM; or refuse their settings when the test says so."""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    service = ""

    def do_GET(self) -> None:
        complaint = os.environ.get(f"STAND_IN_{self.service}_HOLDS")
        engine = {"ok": False, "detail": complaint} if complaint else {"ok": True}
        body = json.dumps({"checks": {"kafka": {"ok": True}, "engine": engine}, "engine": "stand-in"}).encode()
        self.send_response(404 if self.path != "/readyz" else 503 if complaint else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(name: str) -> None:
    if complaint := os.environ.get(f"STAND_IN_{name.upper()}_REFUSES"):
        sys.stderr.write(f"{complaint}\n")
        sys.exit(2)
    Handler.service = name.upper()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.stderr.write(f"{name} stand-in with topics {os.environ.get('KAFKA_TOPIC_PREFIX', '')!r}\n")
    HTTPServer(("127.0.0.1", int(os.environ[f"{name.upper()}_PORT"])), Handler).serve_forever()
