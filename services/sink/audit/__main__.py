"""`python -m services.sink.audit rollups [--json]`. Exit code 0: all agree, 1: something differs, or no answer."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict

from services.runtime.settings import load_settings
from services.sink.audit.rollups import audit_rollups
from services.sink.operator_connection import CannotAnswer, operator_connection
from services.sink.settings import SinkSettings

_INTERRUPTED = 130


async def _rollups(database_url: str, *, as_json: bool) -> int:
    audits = []
    async with operator_connection(database_url) as connection:
        async for audit in audit_rollups(connection):
            audits.append(audit)
            if not as_json:
                print("\n".join(audit.lines()), flush=True)  # noqa: T201 - a command
    if as_json:
        print(json.dumps([asdict(audit) for audit in audits], indent=2))  # noqa: T201 - a command
    return 1 if any(audit.differences for audit in audits) else 0


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.sink.audit", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    rollups = commands.add_parser("rollups", help="recount every rollup")
    rollups.add_argument("--json", action="store_true", dest="as_json")
    given = parser.parse_args(arguments)
    url = load_settings(SinkSettings).database_url.get_secret_value()
    try:
        return asyncio.run(_rollups(url, as_json=given.as_json))
    except CannotAnswer as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - a command
        return 1
    except BrokenPipeError:  # `| head`; Python would flush standard output once more, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
