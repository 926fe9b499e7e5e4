# ruff: noqa: INP001 - a program on its own, copied alone into an image
"""Print the part of requirements.lock that one service needs: `python requirements_for.py ingress`.

The lock says of each package who asked for it (`# via`), so the closure over the service's own requirements is
exact, and every line keeps its hashes.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Locked:
    """One package of the lock: its lines, and the packages that need it."""

    lines: tuple[str, ...]
    needed_by: frozenset[str]


def normal_name(requirement: str) -> str:
    """Return the package's name as the lock writes it (PEP 503), without version, extras and markers."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;(]", requirement.strip())[0]).lower()


def read_lock(text: str) -> dict[str, Locked]:
    """Read the entries that `uv pip compile` writes."""
    entries = [entry for entry in re.split(r"\n(?=[A-Za-z0-9])", text) if not entry.startswith("#")]
    return {normal_name(entry): _locked(entry.splitlines()) for entry in entries}


def needed_names(roots: set[str], lock: dict[str, Locked]) -> set[str]:
    """Return the roots and everything that they need, directly or not."""
    needed = set(roots)
    while more := {name for name, locked in lock.items() if name not in needed and locked.needed_by & needed}:
        needed |= more
    return needed


def roots_of(service: str, project: dict[str, object]) -> set[str]:
    """Return what pyproject.toml asks for: what all parts stand on, and the service's extra."""
    return {normal_name(requirement) for requirement in _requirements(service, project)}


def _requirements(service: str, project: dict[str, object]) -> Iterator[str]:
    everyone, extras = project["dependencies"], project["optional-dependencies"]
    assert isinstance(everyone, list)
    assert isinstance(extras, dict)
    yield from everyone
    yield from extras[service]


def _locked(lines: list[str]) -> Locked:
    said = [line.strip() for line in lines if line.lstrip().startswith("#")]
    needed_by = {normal_name(line.removeprefix("#").strip().removeprefix("via ")) for line in said}
    kept = tuple(line for line in lines if not line.lstrip().startswith("#"))
    return Locked(kept, frozenset(needed_by))


def main() -> None:
    service = sys.argv[1]
    lock = read_lock(Path("requirements.lock").read_text(encoding="utf-8"))
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = needed_names(roots_of(service, project), lock)
    if missing := needed - lock.keys():
        sys.exit(f"requirements.lock lacks {', '.join(sorted(missing))}: run `make lock`")
    sys.stdout.write("\n".join(line for name in sorted(needed) for line in lock[name].lines) + "\n")


if __name__ == "__main__":
    main()
