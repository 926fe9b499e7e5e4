"""`python -m services.sink.offsets [show | reset --topic NAME [--partition N] --to beginning|end|OFFSET]`."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from services.runtime.kafka import KafkaConnection
from services.runtime.settings import load_settings
from services.sink import offsets
from services.sink.offsets import CannotSet, reset, show
from services.sink.operator_connection import CannotAnswer, operator_connection
from services.sink.settings import SinkSettings


async def _run(arguments: argparse.Namespace) -> list[str]:
    settings = load_settings(SinkSettings)
    connection = KafkaConnection.from_settings(settings)
    async with operator_connection(settings.database_url.get_secret_value()) as postgres:
        if arguments.command == "reset":
            return await reset(connection, postgres, arguments.topic, arguments.partition, to=arguments.to)
        return await show(connection, postgres)


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.sink.offsets", description=offsets.__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("show", help="every partition: what is stored, what its log holds")
    setting = commands.add_parser("reset", help="set the offsets of a topic or of one partition")
    setting.add_argument("--topic", required=True)
    setting.add_argument("--partition", type=int)
    setting.add_argument("--to", required=True, help="beginning, end or an offset")
    try:
        lines = asyncio.run(_run(parser.parse_args(arguments)))
    except (CannotSet, CannotAnswer) as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - a command
        return 1
    print("\n".join(lines) or "nothing is stored yet")  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
