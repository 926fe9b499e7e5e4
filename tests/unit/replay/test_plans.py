"""A replay on disk: written before anything is sent, held by one process, damaged files told in a sentence."""

import json
from array import array
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from schemas.topics import CONSUMER_GROUPS
from undertone.acls import acls
from undertone.errors import CommandError, UsageProblem
from undertone.replay import views
from undertone.replay.job import refuse_taken_name
from undertone.replay.plans import Plans, Replay, State, check_name


def a_replay(name: str = "angry", selected: int = 3) -> Replay:
    return Replay(name, f"{name}-1", "2026-03-02T09:17:13+00:00", "k:9092/", "--since 7d", "v2", {"4": selected}, {})


def test_a_replay_is_read_as_it_was_written(tmp_path: Path) -> None:
    plans = Plans(tmp_path)
    replay = Replay("m", "m-1", "2026-03-02T09:17:13+00:00", "k/", "--since 7d", None, {"10": 2, "2": 1}, {"0": 7})
    selection = {2: array("q", [5]), 10: array("q", [1, 2**40])}
    plans.create(replay, selection)
    assert plans.load("m") == replay
    assert plans.selection(plans.load("m")) == selection
    assert plans.names() == ["m"]


def test_the_operator_may_write_under_the_transactional_id_of_a_replay() -> None:
    grants = acls(lambda topic: topic.name, CONSUMER_GROUPS.__getitem__)
    (grant,) = (one for one in grants if one.resource_type == "transactional-id")
    assert grant.is_prefix
    assert a_replay().transactional_id.startswith(grant.resource)
    assert (grant.service, grant.operations) == ("operator", ("Describe", "Write"))


def test_a_plan_is_of_another_kafka_only_where_both_clusters_are_known_and_differ(tmp_path: Path) -> None:
    plans = Plans(tmp_path)
    replay = replace(a_replay(), cluster="ours")
    assert replay.is_of_another("theirs")
    assert not replay.is_of_another("ours")
    assert not replay.is_of_another(None)
    plans.create(a_replay(), {4: array("q", [1, 2, 3])})
    path = tmp_path / "angry.json"
    members = json.loads(path.read_bytes())
    del members["cluster"]
    path.write_text(json.dumps(members), encoding="utf-8")
    assert not plans.load("angry").is_of_another("theirs"), "plans of old have no cluster"


@pytest.mark.parametrize(
    ("state", "said"),
    [(State.PAUSED, "`undertone replay resume angry`"), (State.DONE, "has ended: it is done")],
)
def test_a_name_that_is_taken_is_refused_with_what_can_be_done(tmp_path: Path, state: State, said: str) -> None:
    plans = Plans(tmp_path)
    refuse_taken_name(plans, "angry")
    plans.create(replace(a_replay(), state=state), {4: array("q", [1, 2, 3])})
    with pytest.raises(UsageProblem, match=f"{said}.*another --name") as refusal:
        refuse_taken_name(plans, "angry")
    assert ("resume" in str(refusal.value)) is not state.has_ended


def listed(replay: Replay, width: int = 80) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(views.replays_table([(replay, "interrupted")]))
    return captured.get()


@pytest.mark.parametrize("width", [80, 300])
def test_names_in_the_list_are_never_broken(width: int) -> None:
    text = listed(replace(a_replay("x" * 64), analysis_version="y" * 20, asked="--conversation " + "z" * 64), width)
    assert "x" * 64 in text
    assert "y" * 20 in text
    assert text.count("z") == 64
    assert "interrupted" in text


def test_the_name_that_a_replay_gets_by_itself_is_whole_on_80_columns() -> None:
    replay = replace(
        a_replay("20261121-233044-9f3c"), analysis_version="grok-4.3-p2", asked="--since 7d --channel chat"
    )
    assert "20261121-233044-9f3c" in listed(replay)
    assert "grok-4.3-p2" in listed(replay)


def test_short_replays_are_a_table_on_100_columns() -> None:
    heading, line = listed(a_replay(), width=100).splitlines()
    assert heading.startswith("NAME")
    assert line.startswith("angry")


def test_what_is_pending_is_neither_written_nor_left_out() -> None:
    replay = a_replay(selected=10)
    replay.written = 4
    replay.leave_out("erased", 2)
    replay.leave_out("erased")
    replay.leave_out("superseded", 0)
    assert (replay.pending, replay.left_out) == (3, {"erased": 3})


def test_two_processes_never_send_the_same_replay(tmp_path: Path) -> None:
    plans, others = Plans(tmp_path), Plans(tmp_path)
    with plans.held("angry"):
        assert others.is_held("angry")
        with pytest.raises(CommandError, match="Another process is sending"), others.held("angry"):
            raise AssertionError("it was held twice")
    assert not others.is_held("angry")


def test_a_request_waits_until_it_is_forgotten(tmp_path: Path) -> None:
    plans = Plans(tmp_path)
    assert plans.asked("angry") is None
    plans.ask("angry", State.CANCELLED)
    assert plans.asked("angry") is State.CANCELLED
    plans.forget_request("angry")
    plans.forget_request("angry")
    assert plans.asked("angry") is None


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    plans = Plans(tmp_path)
    plans.create(a_replay(), {4: array("q", [1, 2, 3])})
    (tmp_path / "angry.selection").write_bytes(b"12345")
    with pytest.raises(CommandError, match=r"angry\.selection is gone or damaged"):
        plans.selection(plans.load("angry"))
    (tmp_path / "angry.json").write_text('{"name": "angry"}', encoding="utf-8")
    with pytest.raises(CommandError, match="is damaged"):
        plans.load("angry")


def test_an_unknown_replay_is_answered_with_those_there_are(tmp_path: Path) -> None:
    plans = Plans(tmp_path)
    plans.create(a_replay(), {4: array("q", [1, 2, 3])})
    with pytest.raises(UsageProblem, match="there are: angry"):
        plans.load("happy")


@pytest.mark.parametrize("name", ["", "../up", "a b", "a/b", ".hidden", "x" * 65, "a.lock"])
def test_a_name_that_could_be_another_file_is_refused(name: str) -> None:
    with pytest.raises(UsageProblem, match="cannot name a replay"):
        check_name(name)


def test_a_replay_that_nobody_sends_any_more_was_interrupted() -> None:
    replay = a_replay()
    assert views.standing(replay, is_held=True) == "sending"
    assert views.standing(replay, is_held=False) == "interrupted"
    replay.state = State.DONE
    assert views.standing(replay, is_held=False) == "done"
