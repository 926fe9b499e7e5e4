"""`python -m services.sink.audit.flow_command [--json]`. Exit code 0: all is accounted for, 1: not so, or no answer."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence

from aiokafka.errors import KafkaError

from services.runtime.kafka import KafkaConnection
from services.runtime.settings import load_settings
from services.sink.audit.flow import FlowAudit
from services.sink.audit.logs import open_logs
from services.sink.audit.tally import Tally
from services.sink.operator_connection import CannotAnswer, operator_connection
from services.sink.settings import SinkSettings

_INTERRUPTED = 130


async def _audit(settings: SinkSettings) -> Tally:
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


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.sink.audit.flow_command", description=__doc__)
    parser.add_argument("--json", action="store_true", dest="as_json")
    given = parser.parse_args(arguments)
    try:
        tally = asyncio.run(_audit(load_settings(SinkSettings)))
    except CannotAnswer as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - a command
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    print(json.dumps(tally.as_members(), indent=2) if given.as_json else "\n".join(tally.lines()))  # noqa: T201 - as above
    return 0 if tally.is_clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
