"""`python -m services.sink.subjects suggest --since TIME --limit N`: unknown clusters as JSON."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from services.runtime.settings import load_settings
from services.sink.operator_connection import CannotAnswer, operator_connection
from services.sink.settings import SinkSettings
from services.sink.subjects.unknown import UnknownCluster, unknown_clusters

_INTERRUPTED = 130


async def _suggest(database_url: str, since: datetime, limit: int) -> list[UnknownCluster]:
    async with operator_connection(database_url) as connection:
        return await unknown_clusters(connection, since, limit)


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.sink.subjects", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    suggest = commands.add_parser("suggest", help="frequent clusters that the registry does not know")
    suggest.add_argument("--since", type=datetime.fromisoformat, required=True, help="ISO 8601 with a zone")
    suggest.add_argument("--limit", type=int, required=True)
    given = parser.parse_args(arguments)
    url = load_settings(SinkSettings).database_url.get_secret_value()
    try:
        found = asyncio.run(_suggest(url, given.since, given.limit))
    except CannotAnswer as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - a command
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    print(json.dumps([asdict(one) for one in found], indent=2, ensure_ascii=False))  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
