"""`ingest --bulk`: the replay lane, so that live traffic never waits for an import."""

from pathlib import Path

from schemas.topics import RECEIVED, REPLAY
from tests.end_to_end.deployment import Deployment
from tests.end_to_end.kafka_clients import read_all
from tests.infrastructure import Infrastructure
from tests.integration.cli.commands import Terminal
from tests.integration.cli.files import conversations, write_lines


async def test_a_bulk_import_writes_each_conversation_once_and_a_copy_for_the_replay_lane(
    terminal: Terminal, deployment: Deployment, tmp_path: Path
) -> None:
    name = write_lines(tmp_path / "a.jsonl", [*conversations(40), {"conversation_id": "a b", "turns": [{"text": "x"}]}])
    ended = await terminal.run("ingest", name, "--bulk", "--batch-size", "15")
    assert (ended.code, ended.out.split(" · ")[0]) == (1, "40 accepted, 1 rejected"), ended.err
    originals = {record.key: record for record in await read_all(deployment, RECEIVED)}
    copies = {record.key: record for record in await read_all(deployment, REPLAY)}
    assert len(originals) == 40
    assert originals.keys() == copies.keys()
    for key, original in originals.items():
        copy_headers = dict(copies[key].headers)
        assert copies[key].value == original.value
        assert dict(original.headers)["undertone_lane"] == b"replay"
        assert copy_headers["undertone_revision"] == f"{original.timestamp}-{original.offset}".encode()
        assert copy_headers["undertone_replay_id"].startswith(b"import-")
        assert not copy_headers.keys() & {"undertone_lane", "undertone_analysis_version"}


async def test_a_bulk_import_without_the_replay_topic_sends_nothing(
    infrastructure: Infrastructure, topic_prefix: str, tmp_path: Path
) -> None:
    environment = {"KAFKA_BOOTSTRAP_SERVERS": infrastructure.bootstrap_servers, "KAFKA_TOPIC_PREFIX": topic_prefix}
    ended = await Terminal(tmp_path, environment).run(
        "ingest", write_lines(tmp_path / "a.jsonl", conversations(1)), "--bulk"
    )
    assert ended.code == 1
    assert f"Kafka has no topic {topic_prefix}conversations." in ended.err
    assert "undertone topics apply" in ended.err
