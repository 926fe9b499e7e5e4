import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from rich.table import Table

from undertone import cli
from undertone.console import new_output
from undertone.errors import CommandError, UsageProblem
from undertone.settings import key_headers


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A command line whose only command raises what a test puts into `error`."""

    def load(name: str, entry: cli.Entry) -> object:
        app = typer.Typer()

        @app.command("demo")
        def demo() -> None:
            raise error.pop()

        return typer.main.get_group(app).commands["demo"]

    error: list[BaseException] = []
    monkeypatch.setattr(cli, "load_command", load)
    monkeypatch.setattr(cli, "error", error, raising=False)
    return monkeypatch


def _run(error: BaseException, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    cli.error.append(error)  # type: ignore[attr-defined]  # set by the fixture
    code = cli.main(["demo"])
    return code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (CommandError("Kafka is away."), 1, "undertone: Kafka is away.\n"),
        (UsageProblem("a.csv does not exist."), 2, "undertone: a.csv does not exist.\n"),
        (PermissionError(13, "Permission denied", "/data/ingest"), 1, "undertone: /data/ingest: Permission denied.\n"),
        (OSError(28, "No space left on device"), 1, "refused to read or write: No space left on device.\n"),
        (KeyboardInterrupt(), 130, ""),
        (typer.BadParameter("not so."), 2, "not so. Try: undertone demo --help\n"),
        (typer.BadParameter("not so"), 2, "not so. Try: undertone demo --help\n"),
    ],
)
@pytest.mark.usefixtures("failing")
def test_what_a_person_can_cause_is_one_sentence_and_an_exit_code(
    error: BaseException, code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found, said = _run(error, capsys)
    assert found == code
    assert text in said
    assert "Traceback" not in said


@pytest.mark.usefixtures("failing")
def test_a_bug_says_that_it_is_one_and_how_to_see_more(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = _run(ZeroDivisionError("division by zero"), capsys)
    assert code == 70
    assert "this is a bug: ZeroDivisionError" in said
    assert "Traceback" not in said


@pytest.mark.usefixtures("failing")
def test_what_failed_in_a_group_of_tasks_is_named_rather_than_the_group(capsys: pytest.CaptureFixture[str]) -> None:
    known = ExceptionGroup("tasks", [ExceptionGroup("tasks", [UsageProblem("not so")])])
    assert _run(known, capsys) == (2, "undertone: not so\n")
    assert "bug: ZeroDivisionError" in _run(ExceptionGroup("tasks", [ZeroDivisionError()]), capsys)[1]


def test_a_bug_shows_its_stack_when_asked(failing: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    failing.setenv("UNDERTONE_TRACEBACK", "1")
    assert "Traceback" in _run(ZeroDivisionError("division by zero"), capsys)[1]


def _as_libraries_end_it() -> SystemExit:
    """What rich and typer make of a pipe that is closed."""
    error = SystemExit(1)
    error.__context__ = BrokenPipeError(32, "Broken pipe")
    return error


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), _as_libraries_end_it()])
def test_output_that_nobody_reads_any_more_is_no_error(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "_end_quietly", lambda: 0)
    assert _run(error, capsys) == (0, "")


@pytest.mark.usefixtures("failing")
def test_another_end_of_the_process_is_left_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _run(SystemExit(2), capsys)


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["ingest", "--help"], ["subjects", "list"], ["--version"]],
)
def test_a_pipe_that_is_closed_before_anything_is_written_is_no_error(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", "undertone", *arguments], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_table_in_a_pipe_has_no_blanks_at_the_ends_of_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    console = new_output(width=40)
    table = Table("a", "b", box=None)
    table.add_row("1 ", "x  y")
    console.print(table)
    assert capsys.readouterr().out == " a   b\n 1   x  y\n"


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_that_help_lists_is_there_and_explains_itself(name: str) -> None:
    command = cli.load_command(name, cli.COMMANDS[name])
    assert command.name == name
    assert command.help


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ingst"], "Did you mean 'ingest'"),
        (["insights", "--sentiment", "angry"], "Invalid value for '--sentiment': 'angry' is not one of"),
        (["insights", "--limit", "0"], "'--limit': it must be greater than or equal to 1"),
        (["insights", "--since", "2026-11-21", "--until", "2026-11-20"], "before it begins"),
        (["insights", "--since", "later"], "--since is 'later'"),
        (["insights", "--read-api-url", "localhost:8002"], "--read-api-url is 'localhost:8002'"),
        (["insights", "--read-api-url", "http://[::1"], "--read-api-url is 'http://[::1'"),
        (["insights", "--read-api-url", "http://a:b:c"], "--read-api-url is 'http://a:b:c'"),
        (["trends", "--days", "3", "--since", "7d"], "either --days or --since"),
        (["ingest", "a.jsonl", "--spread", "soon"], "--spread is 'soon'"),
        (["ingest", "a.jsonl", "--batch-size", "501"], "--batch-size"),
        (["ingest", "a.jsonl", "--api-url", "ftp://x"], "--api-url is 'ftp://x'"),
        (["show"], ""),
        (["show", ""], "'' is no id"),
        (["show", "a b"], "'a b' is no id"),
        (["show", "x" * 129], "is no id"),
        (["insights", "--subject", "bagage"], "there are baggage,"),
        (["trends", "--subject", ""], "--subject is ''"),
        (["hold"], "Missing option '--reason'"),
        (["hold", "--reason", "x", "--for", "3h"], "a hold lasts at most 2 h"),
        (["hold", "--reason", "x", "--for", "soon"], "--for is 'soon'"),
        (["hold", "--reason", " "], "--reason must be one line"),
        (["hold", "--reason", "x", "--lane", "fast"], "Invalid value for '--lane'"),
        (["release", "--reason", "a\nb"], "--reason must be one line"),
        (["subjects", "suggest", "--since", "later"], "--since is 'later'"),
        (["audit", "everything"], "No such command 'everything'"),
        (["up", "--postgres", "postgresql://u@h:port/d"], "--postgres wants postgresql://"),
        (["up", "--detach", "--postgres", "postgresql:///d"], "--postgres wants postgresql://"),
        (["up", "--kafka", "h:0"], "--kafka wants HOST:PORT"),
        (["demo", "--llm", "grok"], "LLM=grok needs a key"),
        (["demo", "--llm", "hal"], "LLM is 'hal'"),
    ],
)
def test_wrong_use_is_exit_code_2_and_names_what_is_wrong(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("detached", [[], ["--detach"]])
def test_a_state_folder_that_is_a_file_is_refused_with_one_sentence(
    detached: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    for place, said in (("file", "is a file"), ("file/inside", "cannot be made: Not a directory")):
        servers = ["--kafka", "127.0.0.1:9", "--postgres", "postgresql://u@127.0.0.1:9/d"]
        assert cli.main(["up", "--home", str(tmp_path / place), *servers, *detached]) == 2
        error = capsys.readouterr().err
        assert f"{tmp_path / place} {said}; name another one with --home" in error
        assert error.count("\n") == 1


def test_help_imports_no_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "load_command", lambda *_: pytest.fail("a command was imported"))
    assert cli.main(["--help"]) == 0
    printed = capsys.readouterr().out
    for name in cli.COMMANDS:
        assert name in printed


def test_a_missing_package_is_named_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> object:
        raise ModuleNotFoundError("No module named 'asyncpg'", name="asyncpg")

    monkeypatch.setattr("undertone.cli.importlib.import_module", fail)
    with pytest.raises(CommandError, match=r"needs the package asyncpg.*pip install"):
        cli.load_command("migrate", cli.COMMANDS["migrate"])


@pytest.mark.parametrize("key", ["a\nb", "ключ", "\x00"])
def test_a_key_that_cannot_stand_in_a_header_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(UsageProblem) as error:
        key_headers(key)
    assert key not in str(error.value)
