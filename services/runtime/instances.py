"""What a process is called where it signs: in the control log, and as the owner of partitions in the database."""

import os
import socket


def instance_name(instance_id: str | None) -> str:
    """The name that the settings give, else one that no other process has at the same time."""
    return instance_id or f"{socket.gethostname()}-{os.getpid()}"
