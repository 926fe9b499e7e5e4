"""Which process is meant: a pid alone may be another's by now, with its start time it is one process for good."""

import os
import signal


def process_start_time(pid: int) -> float | None:
    """Return when this process started (seconds since 1970), None when there is none."""
    import psutil  # noqa: PLC0415 - installed with undertone[embedded] only

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def is_same_process(pid: int, started_at: float | None) -> bool:
    """Tell whether the process we once started still runs: a pid alone may be another's by now."""
    import psutil  # noqa: PLC0415 - as above

    try:
        process = psutil.Process(pid)
        alive = process.status() != psutil.STATUS_ZOMBIE
        return alive and started_at is not None and abs(process.create_time() - started_at) < 1
    except psutil.Error:
        return False


def kill_group(group: int) -> None:
    """Send SIGKILL to a process group; one that is gone is fine."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def resident_bytes(pid: int) -> int | None:
    """Return the memory of a process and its children, shared pages counted once (Postgres shares its buffers)."""
    import psutil  # noqa: PLC0415 - as above

    try:
        process = psutil.Process(pid)
        total = int(process.memory_info().rss)
        for child in process.children(recursive=True):
            memory = child.memory_info()
            total += int(memory.rss) - int(getattr(memory, "shared", 0))
    except psutil.Error:
        return None
    return total
