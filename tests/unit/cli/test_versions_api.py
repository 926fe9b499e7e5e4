"""How the commands on versions read the read API's answers."""

import json

import httpx
import pytest

from tests.unit.cli.versions import api_that
from undertone.errors import CommandError
from undertone.versions.api import Incomplete


def test_a_refusal_for_coverage_carries_the_number() -> None:
    problem = {"error": "coverage_incomplete", "details": "7 conversations …", "missing": 7}
    with api_that(lambda _: httpx.Response(409, json=problem)) as api, pytest.raises(Incomplete) as refusal:
        api.decide("new/promotion", now=False)
    assert refusal.value.missing == 7


def test_a_busy_database_is_asked_again() -> None:
    answers = iter([httpx.Response(503, headers={"Retry-After": "1"}), httpx.Response(200, json={"missing": 0})])
    with api_that(lambda _: next(answers)) as api:
        assert api.decide("new/promotion", now=False) == {"missing": 0}


def test_every_page_of_what_is_missing_is_read() -> None:
    pages = {"": (["a", "b"], "next"), "next": ([], "last"), "last": (["c"], None)}

    def answer(request: httpx.Request) -> httpx.Response:
        ids, cursor = pages[request.url.params.get("cursor", "")]
        return httpx.Response(200, json={"conversation_ids": ids, "metadata": {"next_cursor": cursor}})

    with api_that(answer) as api:
        assert api.missing_ids("new", lambda _: None) == {"a", "b", "c"}


def test_an_answer_that_is_no_decision_is_one_sentence() -> None:
    problem = {"error": "version_in_use", "details": "old is active: promote another version first."}
    refused = httpx.Response(409, content=json.dumps(problem))
    with api_that(lambda _: refused) as api, pytest.raises(CommandError, match="promote another version first"):
        api.decide("old/retirement", now=False)
