# ruff: noqa: INP001 - a program on its own, copied alone into an image
"""Exit 0 when the service of this container is ready: what Docker asks every ten seconds."""

import os
import sys
import urllib.error
import urllib.request

DEFAULT_PORTS = {"ingress": "8000", "analyzer": "8001", "sink": "8002"}
TIMEOUT_SECONDS = 4


def main() -> int:
    service = os.environ["SERVICE"]
    port = os.environ.get(f"{service.upper()}_PORT") or DEFAULT_PORTS[service]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=TIMEOUT_SECONDS) as answer:
            return 0 if answer.status == 200 else 1
    except urllib.error.HTTPError as error:
        sys.stderr.write(error.read(2000).decode(errors="replace"))  # which checks fail: `docker inspect` shows it
        return 1
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
