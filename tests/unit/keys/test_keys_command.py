"""`undertone keys new`: what a person sees is what the services need."""

import pytest
import typer
from typer.testing import CliRunner

from services.runtime.api_keys import ApiKeys
from undertone.commands.keys import register
from undertone.errors import UsageProblem

app = typer.Typer()
register(app)


def test_the_printed_key_is_known_by_the_printed_entry() -> None:
    result = CliRunner().invoke(app, ["keys", "new", "--name", "shop", "--scope", "ingest", "--scope", "read"])
    assert result.exit_code == 0
    key = ApiKeys.parse(result.stderr.strip().splitlines()[-1]).authenticate(result.stdout.strip())
    assert key is not None
    assert (key.name, set(key.scopes)) == ("shop", {"ingest", "read"})


@pytest.mark.parametrize("arguments", [["--name", "a b", "--scope", "read"], ["--name", "a", "--scope", "fly"]])
def test_a_wrong_name_or_scope_is_one_sentence(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["keys", "new", *arguments])
    assert isinstance(result.exception, UsageProblem)
    assert result.stdout == ""
