"""`python -m benchmarks` knows every program in its folder."""

import pytest

from benchmarks.__main__ import EFFORTS, chosen, programs, summary_of
from benchmarks.measure import Report, abba


def test_every_program_says_what_it_measures() -> None:
    for name, path in programs().items():
        assert summary_of(path), name


def test_no_effort_names_a_program_that_is_not_there() -> None:
    assert EFFORTS.keys() <= programs().keys()


def test_without_names_only_the_quick_ones_run() -> None:
    assert all(EFFORTS[name].is_quick for name in chosen([], everything=False))
    assert set(chosen([], everything=False)) <= set(chosen([], everything=True))


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(SystemExit, match="no benchmark nonsense"):
        chosen(["nonsense"], everything=False)


async def test_rounds_are_measured_in_the_order_abba() -> None:
    order: list[str] = []

    async def first() -> float:
        order.append("A")
        return 1.0

    async def second() -> float:
        order.append("B")
        return 2.0

    assert await abba(first, second, 2) == ([1.0] * 4, [2.0] * 4)
    assert "".join(order) == "ABBAABBA"


def test_a_missed_bar_is_remembered_and_a_met_one_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    report.at_most("cost", 0.9, 0.85, aim=0.35)
    report.at_most("memory", 85, 100, unit="MiB")
    report.at_least("pace", 0.95, 0.93)
    report.holds("all stored", is_met=False, found="1 missing")
    assert report.missed == ["cost", "all stored"]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["MISS", "ok", "ok", "MISS"]
    assert "(at most 0.85, aim 0.35)" in lines[0]
