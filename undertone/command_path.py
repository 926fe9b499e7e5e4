"""How a person gets `undertone` on the PATH: only make and `python -m undertone` work without it."""

import os
import shutil
import sys
from pathlib import Path


def activation() -> str | None:
    """The command that puts `undertone` on the PATH of this shell; None when it is there, or cannot be put there."""
    if shutil.which("undertone") is not None:
        return None
    script = Path(sys.prefix) / "bin" / "activate"
    if not script.is_file():
        return None
    return f". {min(str(script), os.path.relpath(script), key=len)}"
