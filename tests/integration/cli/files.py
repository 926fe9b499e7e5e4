"""Files of conversations to ingest."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def conversations(count: int, text: str = "It broke.") -> list[dict[str, Any]]:
    return [{"conversation_id": f"c{number:05d}", "turns": [{"text": text}]} for number in range(count)]


def write_lines(path: Path, conversations: Sequence[Any]) -> str:
    path.write_text("".join(json.dumps(one) + "\n" for one in conversations), encoding="utf-8")
    return path.name
