"""`undertone bench ingress` with a real Kafka and a real ingress."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from schemas.topics import RECEIVED
from services.runtime.kafka import KafkaConnection
from services.runtime.publisher import open_publisher
from tests.infrastructure import Infrastructure
from undertone.bench.ingress import audited
from undertone.bench.ledger import Ledger
from undertone.bench.posts import Post
from undertone.bench.stored import end_offsets
from undertone.cli import main
from undertone.errors import CommandError


@pytest.mark.parametrize("shape", ["turns", "text", "external", "bulk"])
def test_every_202_is_found_in_kafka(
    infrastructure: Infrastructure, tmp_path: Path, shape: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result, plot = tmp_path / "result.json", tmp_path / "plot.svg"
    asked = ["--requests", "50", "--connections", "4", "--shape", shape, "--bulk-size", "5"]
    code = main(
        [
            "bench",
            "ingress",
            "--kafka",
            infrastructure.bootstrap_servers,
            *asked,
            "--json",
            str(result),
            "--plot",
            str(plot),
        ]
    )
    said = capsys.readouterr()
    assert code == 0, said.err
    assert "every 202 exactly once" in said.out
    found = json.loads(result.read_text())
    assert found["requests"]["answers"] == {"202": 50}
    assert found["in_kafka"]["accepted"] == found["conversations"]["accepted"] == (250 if shape == "bulk" else 50)
    assert ET.parse(plot).getroot().tag.endswith("svg")


async def test_what_kafka_does_not_have_or_has_twice_is_found(
    infrastructure: Infrastructure, kafka_topics: str
) -> None:
    kafka = KafkaConnection(infrastructure.bootstrap_servers, kafka_topics)
    async with open_publisher(kafka) as publisher:
        await publisher.publish_record(RECEIVED, b"before", b"{}", ())
        begin = await end_offsets(kafka)
        for key in (b"once", b"twice", b"twice", b"refused", b"a stranger's"):
            await publisher.publish_record(RECEIVED, key, b"{}", ())
    ledger = Ledger(accepted={"once", "twice", "missing", "before"}, refused={"refused"}, unknown={"late"})
    ledger.unanswered(Post(b"", ("once more",)))
    audit = await audited(kafka, begin, ledger)
    assert (audit.accepted, audit.missing, audit.stored_twice) == (4, 2, 1)
    assert (audit.refused_but_stored, audit.unknown_but_stored) == (1, 0)
    assert not audit.is_clean


async def test_a_kafka_without_the_topic_is_one_clear_sentence(infrastructure: Infrastructure) -> None:
    with pytest.raises(CommandError, match=r"no topic nobody\.conversations\.received\.v1"):
        await end_offsets(KafkaConnection(infrastructure.bootstrap_servers, "nobody."))
