"""A file that cannot be written is named before a measurement starts."""

from pathlib import Path

import pytest

from undertone.cli import main


@pytest.mark.parametrize("command", ["ingress", "pipeline"])
def test_a_result_file_that_cannot_be_written_ends_the_command_before_anything_starts(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start_nothing(*_: object, **__: object) -> None:
        pytest.fail("something was started")

    monkeypatch.setattr("undertone.commands.bench_pipeline.run_in_foreground", start_nothing)
    monkeypatch.setattr("undertone.commands.bench.uvloop.run", start_nothing)

    code = main(["bench", command, "--json", str(tmp_path / "none" / "result.json")])

    assert code == 2
    assert "cannot be written: No such file or directory" in capsys.readouterr().err
