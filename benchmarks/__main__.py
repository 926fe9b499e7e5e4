"""The benchmark programs: `python -m benchmarks` runs the quick ones, `--list` says what there is.

    python -m benchmarks [--list] [--all] [NAME …]

Each is a program of its own, `python -m benchmarks.NAME --help`. Exit code 1 when one missed a bar or failed.
"""

import argparse
import ast
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
NOT_PROGRAMS = {"__main__", "fill", "reference_endpoint", "slow_clients"}
"""They can be run and measure nothing."""


@dataclass(frozen=True)
class Effort:
    """How a program is run from here: its arguments, and whether it is quick (a minute or less)."""

    is_quick: bool = False
    arguments: tuple[str, ...] = ()
    needs: str = ""
    """What a person must give, so that it cannot be run from here."""


QUICK = Effort(is_quick=True)
EFFORTS: dict[str, Effort] = {
    "ingress_cost": QUICK,
    "ingress_crowd": QUICK,
    "ingress_slow_clients": Effort(),
    "ingress_overload": Effort(),
    "limits_cost": QUICK,
    "offline_engine": QUICK,
}
"""A program that is not named here counts as slow and is run by hand."""


def programs() -> dict[str, Path]:
    """Every program by its name."""
    paths = (path for path in sorted(FOLDER.glob("*.py")) if path.stem not in NOT_PROGRAMS)
    return {path.stem: path for path in paths if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")}


def summary_of(path: Path) -> str:
    """The first sentence of a program's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n", maxsplit=1)[0].split())


def chosen(names: list[str], *, everything: bool) -> list[str]:
    """The programs to run. Raises SystemExit when there is none of a name."""
    known = programs()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"There is no benchmark {unknown[0]}; there are {', '.join(known)}.")
    if names:
        return names
    efforts = {name: EFFORTS.get(name, Effort()) for name in known}
    return [name for name, one in efforts.items() if one.is_quick or (everything and name in EFFORTS and not one.needs)]


def run(name: str) -> bool:
    """Run one program; tells whether it met its bars."""
    print(f"\n{name}: {summary_of(programs()[name])}", flush=True)
    arguments = EFFORTS.get(name, Effort()).arguments
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    return subprocess.run(command, cwd=FOLDER.parent, check=False).returncode == 0


def print_list() -> None:
    for name, path in programs().items():
        effort = EFFORTS.get(name, Effort())
        how = "quick" if effort.is_quick else f"by hand: {effort.needs}" if effort.needs else "slow"
        print(f"{name:24} {how:8} {summary_of(path)}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run the benchmark programs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="those to run; default: the quick ones")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--all", action="store_true", help="run the slow ones too")
    options = parser.parse_args()
    if options.list:
        print_list()
        return 0
    missed = [name for name in chosen(options.names, everything=options.all) if not run(name)]
    print(f"\n{'Missed: ' + ', '.join(missed) if missed else 'Every bar was met.'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
