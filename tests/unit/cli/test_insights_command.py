"""`undertone insights` where a page has nothing yet."""

from collections.abc import Mapping
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from undertone.commands import insights

NOTHING = {"insights": [], "metadata": {"total_count": 0, "count_is_exact": False, "next_cursor": "further"}}
ONE = {
    "insights": [{"conversation_id": "conv_1", "text": "The parcel came late.", "sentiment": "negative"}],
    "metadata": {"total_count": 1, "count_is_exact": False, "next_cursor": None},
}


def test_a_search_that_takes_its_time_is_followed_until_it_finds_something(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def get(path: str, parameters: Mapping[str, object], url: str | None, key: str | None) -> dict[str, Any]:
        del path, url, key
        asked.append(parameters.get("cursor"))
        assert parameters["q"] == "parcel"
        return ONE if len(asked) == 3 else NOTHING

    monkeypatch.setattr(insights, "_get", get)
    app = typer.Typer()
    insights.register(app)
    ended = CliRunner().invoke(app, ["insights", "--search", "parcel"])
    assert ended.exit_code == 0, ended.output
    assert asked == [None, "further", "further"]
    assert "The parcel came late." in ended.output
