"""A bulk import waits behind live traffic, and an operator's hold of the replay lane stops nothing else."""

import json
from pathlib import Path

import httpx

from tests.end_to_end.audit import assert_exact
from tests.end_to_end.conversations import numbered
from tests.end_to_end.deployment import Deployment
from tests.integration.cli.commands import terminal_on
from tests.waiting import eventually

IMPORTED = 300


async def test_live_traffic_goes_on_while_an_import_is_held_and_the_import_ends_when_it_is_released(
    pipeline: Deployment, tmp_path: Path
) -> None:
    terminal = terminal_on(pipeline, tmp_path)
    held = await terminal.run("hold", "--lane", "replay", "--for", "2h", "--reason", "the import waits")
    assert held.code == 0, held.err
    assert held.out.startswith("The replay lane is held until")
    await eventually(lambda: holds_of(pipeline, {"replay": "the import waits"}), what="the analyzer knows the hold")

    imported = numbered(IMPORTED, "imported")
    (tmp_path / "old.jsonl").write_text("".join(json.dumps(one) + "\n" for one in imported), encoding="utf-8")
    assert (await terminal.run("ingest", "old.jsonl", "--bulk")).code == 0
    live = await pipeline.post_until_accepted(numbered(50, "live", start=IMPORTED))
    await eventually(lambda: counts_are(pipeline, completed=len(live), queued=IMPORTED), what="only live is analysed")

    assert (await terminal.run("release", "--lane", "replay")).code == 0
    everything = live | {one["conversation_id"] for one in imported}
    await pipeline.settled(everything)
    await assert_exact(pipeline.database_url, everything)
    one = await pipeline.conversation("imported-00000")
    assert one["status"] == "completed"
    assert [turn["text"] for turn in one["turns"]] == [turn["text"] for turn in imported[0]["turns"]]
    assert one["insight"]["lane"] == "replay"
    audited = await terminal.run("audit", within_seconds=120)
    assert audited.code == 0, audited.out
    compared = [line for line in audited.out.splitlines() if "rows compared" in line]
    assert compared
    assert all(line.endswith("all agree") for line in compared)


async def holds_of(pipeline: Deployment, expected: dict[str, str]) -> bool:
    health = await pipeline.the("analyzer").health()
    return bool(health["holds"] == expected)


async def counts_are(pipeline: Deployment, *, completed: int, queued: int) -> bool:
    try:
        counts = (await pipeline.status())["conversations"]
    except httpx.TransportError:
        return False
    return bool(counts["completed"] + counts["skipped"] == completed and counts["queued"] == queued)
