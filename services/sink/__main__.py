"""`python -m services.sink [--role consumer|api|both]`."""

import asyncio

from services.runtime.api_keys import refuse_open_bind
from services.runtime.arguments import service_parser
from services.runtime.garbage import collect_rarely
from services.runtime.logs import configure_logging, get_logger
from services.runtime.server import run, serve
from services.runtime.settings import load_settings
from services.sink.app import create_app
from services.sink.batch_consumer import BatchConsumer
from services.sink.resources import intake_of, open_resources
from services.sink.retention import Retention
from services.sink.roles import Role
from services.sink.settings import SinkSettings
from services.sink.versioning.upkeep import Upkeep

_log = get_logger("services.sink")


async def start(settings: SinkSettings, role: Role, stop: asyncio.Event) -> int:
    """Run until `stop` is set. What is unexpected in one part ends the others and is raised."""
    _log.info("starting", role=role.value, kafka=settings.kafka_bootstrap_servers)
    async with open_resources(settings) as resources:
        consumer = None
        if role is not Role.API:
            intake = intake_of(settings)
            consumer = BatchConsumer(resources.connection, intake, resources.store(), resources.dead_letters(), stop)
        app = create_app(settings, resources, role, consumer)
        async with asyncio.TaskGroup() as parts:
            parts.create_task(serve(app, settings, stop=stop))
            parts.create_task(resources.announcer.run(stop))
            if role is not Role.CONSUMER:
                parts.create_task(resources.feed.run(stop))
            if consumer is not None:
                parts.create_task(consumer.run())
                parts.create_task(Upkeep(resources.write_pool, stop).run())
                if settings.retention_days is not None:
                    parts.create_task(Retention(resources.write_pool, settings.retention_days, stop).run())
    _log.info("stopped")
    return 0


def main() -> None:
    """Read the environment and start."""
    parser = service_parser("sink", "Store outcomes in Postgres and serve the read API until SIGTERM.", SinkSettings)
    parser.add_argument("--role", type=Role, choices=list(Role), default=Role.BOTH, help="default: both")
    role = parser.parse_args().role
    settings = load_settings(SinkSettings)
    refuse_open_bind(settings)
    configure_logging(settings, "sink")
    collect_rarely()
    run(lambda stop: start(settings, role, stop))


if __name__ == "__main__":
    main()
