"""How long work is shown: a bar in a terminal, a line now and then elsewhere."""

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from undertone.console import progress_output

LINE_EVERY_SECONDS = 10.0
"""Where nobody watches, for logs."""


def live_bar() -> Progress:
    """A bar with what its task's field `counts` says and the time left; it is gone when the work is done."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeRemainingColumn(compact=True),
        console=progress_output(),
        transient=True,
    )
