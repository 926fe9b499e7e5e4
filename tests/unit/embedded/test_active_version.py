"""Data of one engine, a stack started with another: what a person is told of it."""

from dataclasses import replace

import httpx
import pytest

from tests.unit.embedded.test_status import shown
from undertone.embedded.active_version import Standing
from undertone.embedded.services import has_settled
from undertone.embedded.status import StackStatus

OFFLINE = {"offline-2": "offline"}


@pytest.mark.parametrize(
    "standing",
    [
        Standing(OFFLINE, "offline-2", "offline-2", ["offline-2"]),
        Standing({**OFFLINE, "grok-4.3-p1": "llm"}, "grok-4.3-p1", "grok-4.3-p1", ["grok-4.3-p1"]),
        Standing(OFFLINE, "offline-2", None),
        Standing({}, None, "grok-4.3-p1"),
        Standing(),
    ],
)
def test_nothing_is_said_where_an_engine_makes_the_active_version_or_nobody_knows(standing: Standing) -> None:
    assert standing.objection() is None


def test_data_of_another_engine_says_what_the_first_conversation_changes() -> None:
    told = Standing(OFFLINE, "offline-2", "simulated-p1", ["simulated-p1"]).objection() or ""
    assert "The active version is simulated-p1, and no engine that was started here makes it" in told
    assert "the first of it makes offline-2 the active version" in told
    assert "start it again with the engine of simulated-p1 before you send anything" in told


def test_an_engine_that_was_seen_before_becomes_active_by_a_promotion_only() -> None:
    told = Standing(OFFLINE, "offline-2", "grok-4.3-p1", ["grok-4.3-p1", "offline-2"]).objection() or ""
    assert "is analysed under offline-2, which readers are not shown by default" in told
    assert "`undertone versions promote offline-2`" in told


def test_a_version_that_was_decided_on_and_that_nobody_makes_lets_live_traffic_wait() -> None:
    told = Standing(OFFLINE, "grok-4.3-p1", "grok-4.3-p1", ["grok-4.3-p1", "offline-2"]).objection() or ""
    assert "live traffic waits. `undertone versions promote offline-2 --now` lets it go on under offline-2" in told
    unknown = Standing(OFFLINE, "grok-4.3-p1", "grok-4.3-p1", ["grok-4.3-p1"]).objection() or ""
    assert "`undertone versions trial offline-2 --new-version`, then `undertone versions promote" in unknown


def test_the_status_shows_the_engines_and_the_active_version_each_as_what_it_is() -> None:
    status = StackStatus(
        running=True,
        healthy=False,
        home="h",
        engine="offline",
        engines=OFFLINE,
        analysis_version="grok-4.3-p1",
        active_version="grok-4.3-p1",
        version_objection="nobody makes it",
    )
    text = shown(status)
    assert "engine         offline (offline-2)\n" in text
    assert "active version grok-4.3-p1\n" in text
    assert "! nobody makes it\n" in text
    assert "offline (grok-4.3-p1)" not in text
    both = replace(status, engines={**OFFLINE, "grok-4.3-p1": "llm (grok-4.3)"})
    assert "engine         offline (offline-2), llm (grok-4.3, grok-4.3-p1)\n" in shown(both)


@pytest.mark.parametrize(
    ("code", "failed", "settled"),
    [
        (200, [], True),
        (503, ["versions"], True),
        (503, ["versions", "lanes"], True),
        (503, ["versions", "kafka"], False),
        (503, ["assignment"], False),
        (503, [], False),
    ],
)
async def test_a_start_does_not_wait_for_what_only_a_person_brings(code: int, failed: list[str], settled: bool) -> None:
    names = ("kafka", "assignment", "lanes", "versions")
    checks = {name: {"ok": name not in failed} for name in names}
    answers = httpx.MockTransport(lambda _: httpx.Response(code, json={"checks": checks}))
    async with httpx.AsyncClient(transport=answers) as client:
        assert await has_settled("http://analyzer", client) is settled
