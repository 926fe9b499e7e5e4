"""How the status is judged and shown, from what the parts say."""

import io

import pytest
from rich.console import Console

from undertone.embedded.display import show_status
from undertone.embedded.held_lanes import budget_used_up, ends_of
from undertone.embedded.status import FailedCheck, PartStatus, StackStatus


def shown(status: StackStatus, width: int = 160) -> str:
    console = Console(file=io.StringIO(), width=width)
    show_status(console, status)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_exit_code_says_healthy_not_healthy_or_not_running() -> None:
    assert StackStatus(running=True, healthy=True, home="h").exit_code == 0
    assert StackStatus(running=True, healthy=False, home="h").exit_code == 1
    assert StackStatus(running=False, healthy=False, home="h").exit_code == 3


def test_a_stack_that_does_not_run_says_how_to_start_it() -> None:
    assert "undertone up" in shown(StackStatus(running=False, healthy=False, home="/x/.undertone"))


def test_dead_parts_and_problems_stand_out_and_the_rest_is_still_shown() -> None:
    dead = PartStatus(ready=False, restarts=2, failed_checks=[FailedCheck("process", "pid 7 is gone")])
    status = StackStatus(
        running=True,
        healthy=False,
        home="/x/.undertone",
        addresses={"ingress": "http://127.0.0.1:8000", "read_api": "http://127.0.0.1:8002", "kafka": "k:1"},
        processes={"ingress": PartStatus(ready=True, pid=5, rss_bytes=50_000_000, uptime_seconds=75), "sink": dead},
        engine="offline",
        engines={"offline-2": "offline"},
        analysis_version="offline-2",
        problems=["sink: process: pid 7 is gone"],
    )
    text = shown(status)
    assert "not healthy" in text
    assert "sink: process: pid 7 is gone" in text
    assert "50 MB" in text
    assert "0:01:15" in text
    assert "offline (offline-2)" in text
    assert "external" in text


def test_counts_lag_and_cost_are_shown_as_people_read_them() -> None:
    status = StackStatus(
        running=True,
        healthy=True,
        home="h",
        conversations={"completed": 1234, "queued": 0},
        lag={"conversations.received.v1": 12, "conversations.analyzed.v1": 0},
        analyzer_lag={"conversations.received.v1": 0, "conversations.replay.v1": 7},
        holds={"replay": "the night \x1b[31mimport"},
        oldest_unfinished={"conversation_id": "conv_1", "age_seconds": 3.2},
        today={"calls": 1000, "tokens": 5000, "cost_usd": 0.5},
    )
    text = shown(status)
    assert "1,234 completed" in text
    assert "analyzer lag   conversations.replay.v1 7\n" in text
    assert "sink lag       conversations.received.v1 12\n" in text
    held = "replay lane: the night \N{REPLACEMENT CHARACTER}[31mimport; end it with `undertone release --lane replay`"
    assert f"held           {held}" in text

    assert "conv_1, unfinished for 3 s" in text
    assert "1,000 calls, 5,000 tokens, 0.5000 USD" in text


def test_an_address_is_never_broken_on_a_narrow_screen() -> None:
    address = "postgresql://undertone@127.0.0.1:15432/undertone"
    part = PartStatus(ready=True, pid=5, rss_bytes=50_000_000, uptime_seconds=75)
    status = StackStatus(
        running=True, healthy=True, home="h", addresses={"postgres": address}, processes={"postgres": part}
    )
    lines = shown(status, width=80).splitlines()
    assert f"{'':<12}{address}" in lines
    assert all(len(line) <= 80 for line in lines)


def test_a_budget_that_is_used_up_is_shown_as_what_holds_beside_other_holds() -> None:
    said = "today's budget of $0.6 has $0.6500 spent or reserved; raise it"
    alone = shown(StackStatus(running=True, healthy=True, home="h", budget_used_up=said))
    assert f"held           {said}\n" in alone
    assert "undertone release" not in alone, "no release ends it"
    both = shown(StackStatus(running=True, healthy=True, home="h", holds={"live": "a pause"}, budget_used_up=said))
    assert both.count("held           ") == 2


def test_the_budget_that_is_used_up_is_told_by_readiness_though_its_check_does_not_fail() -> None:
    assert budget_used_up({"checks": {"budget": {"ok": True, "detail": "used up"}}}) == "used up"
    assert budget_used_up({"checks": {"budget": {"ok": True}}}) is None
    assert budget_used_up({}) is None, "nobody answers"


def test_a_hold_of_both_lanes_is_told_once() -> None:
    text = shown(StackStatus(running=True, healthy=True, home="h", holds={"live": "a pause", "replay": "a pause"}))
    assert "held           both lanes: a pause; end it with `undertone release`\n" in text
    assert text.count("a pause") == 1


@pytest.mark.usefixtures("tokyo")
def test_a_hold_says_when_it_ends_in_local_time() -> None:
    lanes = ("live", "replay")
    end = "2026-03-02T14:04:20+00:00"
    holds, until = dict.fromkeys(lanes, "a pause"), dict.fromkeys(lanes, end)
    both = shown(StackStatus(running=True, healthy=True, home="h", holds=holds, held_until=until))
    assert "held           both lanes until 23:05 JST: a pause; end it with `undertone release`\n" in both
    until["live"] = "2026-03-02T16:05:00+01:00"
    each = shown(StackStatus(running=True, healthy=True, home="h", holds=holds, held_until=until))
    assert "held           live lane until 00:05 JST: a pause; end it with `undertone release --lane live`\n" in each
    assert "held           replay lane until 23:05 JST: a pause; end it" in each


def test_a_lane_that_stands_at_a_record_is_not_said_to_go_on_by_itself() -> None:
    said = {"held_until": {"live": "2026-03-02T14:05:00+00:00", "replay": "2026-03-02T15:05:00+00:00"}}
    assert ends_of({**said, "blocked": {"live": "no engine"}}) == {"replay": "2026-03-02T15:05:00+00:00"}
    assert ends_of({"holds": {"live": "an older release says no end"}}) == {}
