"""What `undertone hold` says once the hold is declared."""

from datetime import UTC, datetime, timedelta

import pytest

from undertone import cli
from undertone.commands import hold


@pytest.mark.usefixtures("tokyo")
def test_the_end_of_a_hold_is_said_with_its_zone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def declare(_: object, duration: timedelta, *__: object) -> datetime:
        return datetime(2026, 3, 2, 14, 0, 3, tzinfo=UTC) + duration

    monkeypatch.setattr(hold, "declare_hold", declare)
    assert cli.main(["hold", "--reason", "x", "--for", "5m"]) == 0
    assert "held until 23:05:03 JST, 5 min from now" in " ".join(capsys.readouterr().out.split())
