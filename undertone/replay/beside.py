"""What goes on beside a replay, as far as Kafka and the read API can tell: analyzers at work, and live traffic."""

from datetime import UTC, datetime, timedelta

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.runtime.kafka import KafkaConnection
from undertone.replay.logs import spans
from undertone.replay.pricing import Beside

LIVE_MINUTES = 10
"""Live traffic is taken to go on as it did for so long."""


async def look_beside(connection: KafkaConnection, paid_live_versions: int, replay_per_second: float) -> Beside:
    """Count analyzers, and what was received lately. Raises CommandError and KafkaError.

    `paid_live_versions`: under so many versions that cost each live conversation is analysed.
    """
    since = datetime.now(UTC) - timedelta(minutes=LIVE_MINUTES)
    received = sum(max(0, span.end - span.first) for span in (await spans(connection, since, None)).values())
    return Beside(
        instances=await _analyzers(connection),
        live_per_second=received / (LIVE_MINUTES * 60) * paid_live_versions,
        replay_per_second=replay_per_second,
    )


async def _analyzers(connection: KafkaConnection) -> int:
    """Members of the analyzers' group; at least one, as without any nothing would be analysed."""
    admin = AIOKafkaAdminClient(**connection.client_options())
    try:
        await admin.start()
        answers = await admin.describe_consumer_groups([connection.group_name("analyzer")])
        return max(1, sum(len(group[5]) for answer in answers for group in answer.groups))
    except KafkaError:
        return 1
    finally:
        await admin.close()
