"""Files of conversations to ingest."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from undertone.ingest.entries import Found
from undertone.ingest.formats import AnyReader, open_reader

GOOD = b'{"conversation_id": "good", "turns": [{"text": "It broke."}]}'


def conversations(count: int, text: str = "It broke.") -> list[dict[str, Any]]:
    return [{"conversation_id": f"c{number:05d}", "turns": [{"text": text}]} for number in range(count)]


def write_lines(path: Path, conversations: Sequence[Any]) -> str:
    path.write_text("".join(json.dumps(one) + "\n" for one in conversations), encoding="utf-8")
    return path.name


def write_file(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def open_file(path: Path, format_name: str = "auto") -> AnyReader:
    return open_reader(path, format_name, path.with_suffix(".sqlite"))


def read_file(path: Path, format_name: str = "auto") -> list[Found]:
    return list(open_file(path, format_name).entries())
