"""`python -m undertone.embedded.pin_jars`: resolve Kafka's jars anew and write the pins.

For whoever moves the stack to another Kafka. The resolution lists kafka-clients although kafka_2.13 depends
on it: else log4j's managed version wins and the broker dies with NoSuchMethodError.
"""

import hashlib
import tempfile
from pathlib import Path

from undertone.embedded.jars import KAFKA_COORDINATES, PINS_FILE, Jar, write_pins


def main() -> None:
    """Resolve in an empty folder, so that no older version can be mixed in."""
    import jgo  # noqa: PLC0415 - slow, and its import reads the network settings

    with tempfile.TemporaryDirectory() as folder:
        environment = jgo.build("+".join(KAFKA_COORDINATES), cache_dir=Path(folder))
        assert environment.lockfile is not None
        pins = [_pin(dependency, environment.all_jars) for dependency in environment.lockfile.dependencies]
    write_pins(PINS_FILE, sorted(pins))


def _pin(dependency: "object", jars: list[Path]) -> Jar:
    group, artifact, version = (getattr(dependency, name) for name in ("groupId", "artifactId", "version"))
    path = next(path for path in jars if path.name == f"{artifact}-{version}.jar")
    content = path.read_bytes()
    return Jar(f"{group}:{artifact}:{version}", hashlib.sha256(content).hexdigest(), len(content))


if __name__ == "__main__":
    main()
