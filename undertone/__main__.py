"""`undertone` and `python -m undertone`.

From a clone, plain `python3 -m undertone demo` works too: what is missing is installed into `.venv` first.
"""

from undertone.bootstrap import enter_environment


def main() -> int:
    """Run the command line; returns its exit code."""
    enter_environment()
    from undertone.cli import main as run  # noqa: PLC0415 - its packages are there only from here on

    return run()


if __name__ == "__main__":
    raise SystemExit(main())
