"""Memory of our three services after an ingest, and disk that a conversation of five turns takes in Kafka and Postgres.

    python -m benchmarks.footprint [--conversations 5000]

A stack of its own runs in a temporary folder. Conversations are five turns in a row out of the sample, each under an
id and an order number of its own. Disk is what the files grow by (blocks in Kafka's folder, pg_database_size after a
checkpoint), over the last half of the conversations: what an empty stack takes is left out.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import Report
from undertone.embedded.postgres import run_sql

SAMPLE = Path(__file__).parent.parent / "undertone" / "sample" / "sample_conversations.jsonl"
TURNS = 5
MOST_RSS_MB = 400
MOST_KIB = 10


def windows() -> Iterator[list[dict[str, str]]]:
    """Five turns in a row out of each sample conversation, at every place, for ever."""
    conversations = [json.loads(line)["turns"] for line in SAMPLE.read_text("utf-8").splitlines()]
    while True:
        for turns in conversations:
            for start in range(len(turns) - TURNS + 1):
                yield turns[start : start + TURNS]


def write_conversations(path: Path, count: int, first: int) -> None:
    """A JSONL file of distinct conversations."""
    chosen = windows()
    with path.open("w", encoding="utf-8") as file:
        for number in range(first, first + count):
            opening, *others = next(chosen)
            turns = [{**opening, "text": f"Order {number}: {opening['text']}"}, *others]
            file.write(json.dumps({"conversation_id": f"footprint-{number}", "channel": "chat", "turns": turns}) + "\n")


def undertone(home: Path, *arguments: str) -> str:
    """Run a command of ours on the stack of this folder."""
    environment = {**os.environ, "UNDERTONE_HOME": str(home), "INGRESS_REQUESTS_PER_SECOND": "0"}
    command = [sys.executable, "-m", "undertone", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"undertone {' '.join(arguments)}: {done.stderr.strip()[-600:]}")
    return done.stdout


def ingest(home: Path, folder: Path, count: int, first: int, status: dict[str, Any]) -> None:
    """Send conversations and wait until each has its outcome."""
    path = folder / f"conversations-{first}.jsonl"
    write_conversations(path, count, first)
    undertone(home, "ingest", str(path), "--api-url", status["addresses"]["ingress"])
    while True:
        counts = json.loads(undertone(home, "status", "--json"))["conversations"]
        if counts["completed"] + counts["skipped"] + counts["failed"] >= first + count:
            return


def kafka_bytes(home: Path) -> int:
    """Blocks that Kafka's files take (its indexes are preallocated and sparse)."""
    return sum(file.stat().st_blocks * 512 for file in (home / "kafka").rglob("*") if file.is_file())


def postgres_bytes(url: str) -> int:
    """The size of the database after a checkpoint, its log not counted: that is recycled."""
    run_sql(url, "CHECKPOINT")
    return int(run_sql(url, "SELECT pg_database_size(current_database())"))


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=6_000)
    half = parser.parse_args().conversations // 2
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        Path(folder).chmod(0o755)
        undertone(home, "up", "--detach", "--free-ports")
        try:
            measure(home, Path(folder), half, report)
        finally:
            undertone(home, "down")
    sys.exit(1 if report.missed else 0)


def measure(home: Path, folder: Path, half: int, report: Report) -> None:
    """Ingest twice and compare what the second half took."""
    status = json.loads(undertone(home, "status", "--json"))
    url = status["addresses"]["postgres"]
    ingest(home, folder, half, 0, status)
    before = kafka_bytes(home), postgres_bytes(url)
    ingest(home, folder, half, half, status)
    kafka, postgres = (
        (now - then) / half / 1024 for now, then in zip((kafka_bytes(home), postgres_bytes(url)), before, strict=True)
    )
    report.note(f"a conversation of {TURNS} turns: {kafka:.1f} KiB in Kafka, {postgres:.1f} KiB in Postgres")
    report.at_most("disk of a conversation of five turns", kafka + postgres, MOST_KIB, unit="KiB")
    processes = json.loads(undertone(home, "status", "--json"))["processes"]
    services = {
        name: process["rss_bytes"] / 1e6
        for name, process in processes.items()
        if name in {"ingress", "analyzer", "sink"}
    }
    report.note(", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in services.items()))
    report.at_most("memory of our three services", sum(services.values()), MOST_RSS_MB, unit="MB")


if __name__ == "__main__":
    main()
