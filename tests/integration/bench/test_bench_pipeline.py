"""`undertone bench pipeline` with a whole stack of its own."""

import json
import os
from pathlib import Path

import pytest

from undertone.cli import main


@pytest.mark.skipif(
    os.environ.get("UNDERTONE_TEST_STACK") == "containers", reason="it starts the embedded stack, whatever is tested"
)
def test_every_conversation_gets_its_outcome_and_what_it_took_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tmp_path / "result.json"
    asked = ["--conversations", "61", "--batch-size", "20", "--concurrency", "2", "--llm", "simulator"]
    code = main(["bench", "pipeline", *asked, "--json", str(result)])
    said = capsys.readouterr()
    assert code == 0, said.err
    assert "conversations/s" in said.out
    found = json.loads(result.read_text())
    assert found["accepted"] == sum(found["outcomes"].values()) == 61
    assert found["analysis"]["calls"]["answered"] > 0
    assert sum(found["analysis"]["tokens"].values()) > 0
    assert found["analysis"]["cost_usd"] > 0
