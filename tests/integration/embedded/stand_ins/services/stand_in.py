"""What all three do: answer /readyz, end on SIGTERM; or refuse their settings when the test says so."""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"checks": {"kafka": {"ok": True}}, "engine": "stand-in"}).encode()
        self.send_response(200 if self.path == "/readyz" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(name: str) -> None:
    if complaint := os.environ.get(f"STAND_IN_{name.upper()}_REFUSES"):
        sys.stderr.write(f"{complaint}\n")
        sys.exit(2)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.stderr.write(f"{name} stand-in with topics {os.environ.get('KAFKA_TOPIC_PREFIX', '')!r}\n")
    HTTPServer(("127.0.0.1", int(os.environ[f"{name.upper()}_PORT"])), Handler).serve_forever()
