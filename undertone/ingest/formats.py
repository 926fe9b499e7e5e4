"""Which reader a file needs: by its name, and where that says nothing, by its first characters."""

import json
from pathlib import Path

from undertone.errors import UsageProblem
from undertone.ingest.json_files import JsonDocument, JsonLines
from undertone.ingest.opening import InputFile
from undertone.ingest.twitter_csv import TwitterCsv

_BY_SUFFIX = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}
AnyReader = JsonDocument | JsonLines | TwitterCsv


def open_reader(path: Path, format_name: str, store_path: Path) -> AnyReader:
    """The reader for this file; `store_path` is where a CSV keeps its reply chains. Raises UsageProblem."""
    file = InputFile(path)
    if format_name == "auto":
        format_name = _format_of(file)
    if format_name == "csv":
        return TwitterCsv(file, store_path)
    return JsonDocument(file) if format_name == "json" else JsonLines(file)


def _format_of(file: InputFile) -> str:
    suffixes = [suffix.lower() for suffix in file.path.suffixes if suffix.lower() != ".gz"]
    by_name = _BY_SUFFIX.get(suffixes[-1]) if suffixes else None
    if by_name is not None:
        return by_name
    head = file.head().decode(errors="replace").lstrip()
    if not head:
        return "jsonl"
    if head.startswith("["):
        return "json"
    if head.startswith("{"):
        return "jsonl" if _is_object(head.splitlines()[0]) or "\n" not in head else "json"
    if "tweet_id" in head.splitlines()[0]:
        return "csv"
    raise UsageProblem(
        f"{file.path} holds neither JSON nor the CSV of Twitter conversations (with a column tweet_id); name its kind "
        f"with --format."
    )


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
