"""The stack starts in order, survives the death of a part, says what is wrong, and leaves nothing behind."""

import asyncio
import signal

import pytest

from tests.infrastructure import Infrastructure
from tests.integration.embedded.conftest import NewOptions, RememberingReporter
from tests.waiting import eventually
from undertone.embedded import stack as stack_module
from undertone.embedded.errors import AlreadyRunningError, StackError, WrongSettingError
from undertone.embedded.prepare import prepared_stack
from undertone.embedded.stack import Stack, running_stack
from undertone.embedded.state import read_state
from undertone.embedded.status import gather_status
from undertone.topics import plan


async def test_a_started_stack_is_running_healthy_and_has_its_topics(
    new_options: NewOptions, reporter: RememberingReporter, infrastructure: Infrastructure, topic_prefix: str
) -> None:
    options = new_options()
    with prepared_stack(options, reporter) as prepared:
        async with running_stack(prepared, reporter):
            status = await gather_status(options.settings.home)
            assert {name: part.ready for name, part in status.processes.items()} == {
                "ingress": True,
                "analyzer": True,
                "sink": True,
            }
            assert status.phase == "running"
            assert status.engine == "stand-in"
            assert await plan(infrastructure.bootstrap_servers, prefix=topic_prefix) == []
    state = read_state(options.settings.home)
    assert state is not None
    assert state.phase == "stopped"
    assert state.survivors == {}


async def test_a_killed_service_is_reported_with_its_last_words_and_started_again(
    new_options: NewOptions, reporter: RememberingReporter
) -> None:
    with prepared_stack(new_options(), reporter) as prepared:
        async with running_stack(prepared, reporter) as stack:
            supervision = asyncio.create_task(stack.supervise())
            first = stack.children["analyzer"].pid
            stack.children["analyzer"].signal(signal.SIGKILL)
            await eventually(
                lambda: "analyzer: ready again" in reporter.notes, within_seconds=20, what="the analyzer is ready again"
            )
            assert stack.children["analyzer"].pid != first
            state = read_state(stack.home)
            assert state is not None
            assert state.processes["analyzer"].pid == stack.children["analyzer"].pid
            assert state.processes["analyzer"].restarts == 1
            supervision.cancel()
    said = next(note for note in reporter.notes if "SIGKILL" in note)
    assert "analyzer stand-in with topics" in said


async def test_a_service_that_refuses_its_settings_ends_the_start_with_its_own_line(
    new_options: NewOptions, reporter: RememberingReporter
) -> None:
    options = new_options(STAND_IN_ANALYZER_REFUSES="ANALYZER_ENGINE: should be auto, llm or offline")
    made: list[Stack] = []
    with prepared_stack(options, reporter) as prepared:
        stack = running_stack(prepared, reporter, made=made.append)
        with pytest.raises(WrongSettingError, match="analyzer: ANALYZER_ENGINE: should be auto, llm or offline"):
            await stack.__aenter__()
    assert all(not child.is_alive for child in made[0].children.values())


async def test_a_service_that_holds_is_named_with_its_reason_and_the_stack_runs(
    new_options: NewOptions, reporter: RememberingReporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack_module, "SERVICE_START_SECONDS", 2)
    options = new_options(STAND_IN_ANALYZER_HOLDS="the budget of today is used")
    with prepared_stack(options, reporter) as prepared:
        async with running_stack(prepared, reporter):
            status = await gather_status(options.settings.home)
    assert status.phase == "running"
    assert "analyzer: engine: the budget of today is used" in status.problems
    assert "analyzer: runs but is not ready: engine: the budget of today is used" in reporter.notes


async def test_a_migration_that_fails_is_named_and_no_service_is_started(
    new_options: NewOptions, reporter: RememberingReporter
) -> None:
    options = new_options(STAND_IN_MIGRATIONS_SAY="migration 0002 was changed after it was applied")
    with prepared_stack(options, reporter) as prepared:
        stack = running_stack(prepared, reporter)
        with pytest.raises(StackError, match="migration 0002 was changed"):
            await stack.__aenter__()
    assert "ingress: starting" not in reporter.notes


async def test_a_second_stack_on_the_same_folder_says_that_one_runs(
    new_options: NewOptions, reporter: RememberingReporter
) -> None:
    options = new_options()
    with prepared_stack(options, reporter) as prepared:
        async with running_stack(prepared, reporter):
            second = prepared_stack(options, reporter)
            with pytest.raises(AlreadyRunningError, match=r"runs already .*undertone down"):
                second.__enter__()


async def test_the_status_names_the_part_that_is_dead(new_options: NewOptions, reporter: RememberingReporter) -> None:
    options = new_options()
    with prepared_stack(options, reporter) as prepared:
        async with running_stack(prepared, reporter) as stack:
            await stack.children["sink"].stop()
            status = await gather_status(options.settings.home)
            assert status.exit_code == 1
            assert any(problem.startswith("sink: process: pid") for problem in status.problems)
            assert status.processes["ingress"].ready
