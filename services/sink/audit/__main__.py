"""`python -m services.sink.audit flow|rollups [--json]`. Exit code 0: all agrees, 1: not so, or no answer."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from aiokafka.errors import KafkaError

from services.runtime.kafka import KafkaConnection
from services.runtime.null_device import discard_output
from services.runtime.settings import load_settings
from services.sink.audit.flow import FlowAudit
from services.sink.audit.logs import open_logs
from services.sink.audit.rollups import audit_rollups
from services.sink.audit.tally import Tally
from services.sink.operator_connection import CannotAnswer, operator_connection
from services.sink.settings import SinkSettings

_INTERRUPTED = 130


async def _flow(settings: SinkSettings, *, as_json: bool) -> bool:
    tally = await _tally(settings)
    print(json.dumps(tally.as_members(), indent=2) if as_json else "\n".join(tally.lines()))  # noqa: T201 - a command
    return tally.is_clean


async def _tally(settings: SinkSettings) -> Tally:
    connection = KafkaConnection.from_settings(settings)
    url = settings.database_url.get_secret_value()
    try:
        async with operator_connection(url) as database, open_logs(connection) as logs:
            return await FlowAudit(logs, database, connection, settings.retention_days).run()
    except KafkaError as error:
        raise CannotAnswer(
            f"Kafka does not answer at {connection.bootstrap_servers} ({type(error).__name__}): "
            "set KAFKA_BOOTSTRAP_SERVERS, or start it"
        ) from error


async def _rollups(settings: SinkSettings, *, as_json: bool) -> bool:
    audits = []
    async with operator_connection(settings.database_url.get_secret_value()) as connection:
        async for audit in audit_rollups(connection):
            audits.append(audit)
            if not as_json:
                print("\n".join(audit.lines()), flush=True)  # noqa: T201 - a command
    if as_json:
        print(json.dumps([asdict(audit) for audit in audits], indent=2))  # noqa: T201 - a command
    return not any(audit.differences for audit in audits)


_CHECKS = {
    "flow": (_flow, "look for each record of Kafka among the rows"),
    "rollups": (_rollups, "recount every rollup"),
}


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.sink.audit", description=__doc__)
    commands = parser.add_subparsers(dest="check", required=True)
    for name, (_, summary) in _CHECKS.items():
        commands.add_parser(name, help=summary).add_argument("--json", action="store_true", dest="as_json")
    given = parser.parse_args(arguments)
    check, _ = _CHECKS[given.check]
    try:
        is_clean = asyncio.run(check(load_settings(SinkSettings), as_json=given.as_json))
    except CannotAnswer as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - a command
        return 1
    except BrokenPipeError:  # `| head`
        discard_output()
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
