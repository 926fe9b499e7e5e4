"""Files that a measurement writes at its end."""

from pathlib import Path

from undertone.errors import UsageProblem


def refuse_unwritable(path: Path | None) -> None:
    """Raise UsageProblem for a file that cannot be written: before the run rather than after it."""
    if path is None:
        return
    try:
        with path.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise UsageProblem(f"{path} cannot be written: {error.strerror}.") from error
