"""The committed files that are derived from the contract, and the promise not to break readers."""

import copy
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
import yaml

from schemas.compatibility import breaking_changes
from schemas.conversation_received import ConversationReceived
from schemas.generate import SNAPSHOTS, broken_promises, drift, snapshot_path
from schemas.insight_produced import InsightProduced, insight_id_of
from schemas.topics import TOPICS, events_by_type
from tests.unit.schemas.conftest import EXAMPLES

EVENTS = sorted(events_by_type().items())
Change = Callable[[dict[str, Any]], Any]


def test_snapshots_and_asyncapi_are_what_the_code_says() -> None:
    assert drift() == []


def test_no_event_breaks_its_committed_snapshot() -> None:
    assert broken_promises() == []


def test_every_snapshot_belongs_to_an_event() -> None:
    assert {path.name for path in SNAPSHOTS.iterdir()} == {snapshot_path(name).name for name, _ in EVENTS}


def schema() -> dict[str, Any]:
    return copy.deepcopy(InsightProduced.json_schema())


BREAKING: dict[str, Change] = {
    "a member is removed": lambda s: s["properties"].pop("summary"),
    "a member becomes required": lambda s: s["required"].append("completion"),
    "a type changes": lambda s: s["properties"]["summary"].update(type="integer"),
    "a bound is tightened": lambda s: s["properties"]["summary"].update(maxLength=10),
    "a lower bound is raised": lambda s: s["properties"]["clusters"].update(minItems=2),
    "a pattern changes": lambda s: s["properties"]["clusters"]["items"].update(pattern="^x$"),
    "a value of an enumeration is removed": lambda s: s["$defs"]["Path"]["enum"].remove("cache"),
    "values are restricted": lambda s: s["properties"]["model"].update(enum=["grok"]),
    "null is not accepted any more": lambda s: s["properties"]["channel"].update(anyOf=[{"type": "string"}]),
    "a place of a tuple changes": lambda s: revision_of(s)["prefixItems"][0].update(type="string"),
}
ADDITIVE: dict[str, Change] = {
    "an optional member is added": lambda s: s["properties"].update(mood={"type": "string"}),
    "an enumeration grows": lambda s: s["$defs"]["Path"]["enum"].append("quantum"),
    "a bound is widened": lambda s: s["properties"]["summary"].update(maxLength=10_000),
    "a description changes": lambda s: s["properties"]["summary"].update(description="new words"),
    "null becomes acceptable": lambda s: s["properties"].update(
        model={"anyOf": [s["properties"]["model"], {"type": "null"}]}
    ),
}


def revision_of(s: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = s["properties"]["revision"]
    return s["$defs"][found["$ref"].split("/")[-1]] if "$ref" in found else found


@pytest.mark.parametrize("change", BREAKING.values(), ids=BREAKING.keys())
def test_a_breaking_change_is_found(change: Change) -> None:
    changed = schema()
    change(changed)
    assert breaking_changes(schema(), changed)


@pytest.mark.parametrize("change", ADDITIVE.values(), ids=ADDITIVE.keys())
def test_an_additive_change_is_allowed(change: Change) -> None:
    changed = schema()
    change(changed)
    assert breaking_changes(schema(), changed) == []


@pytest.mark.parametrize(("name", "event"), EVENTS)
def test_the_example_satisfies_the_event_and_its_json_schema(name: str, event: Any) -> None:
    example = json.loads((EXAMPLES / f"{name.removeprefix('undertone.')}.json").read_text("utf-8"))
    assert (
        json.loads(event.model_validate_json(json.dumps(example)).model_dump_json(exclude_none=True)).items()
        >= {
            key: value for key, value in example.items() if isinstance(value, str | int) and "T09" not in str(value)
        }.items()
    )
    jsonschema.Draft202012Validator(event.json_schema()).validate(example)


def test_the_example_insight_has_the_id_that_the_contract_promises(example_insight: dict[str, Any]) -> None:
    parts = (example_insight["conversation_id"], example_insight["content_hash"], example_insight["analysis_version"])
    assert str(insight_id_of(*parts)) == example_insight["insight_id"]


def test_a_foreign_producer_satisfies_the_schema_with_an_id_and_turns() -> None:
    jsonschema.validate({"conversation_id": "c", "turns": [{"text": "x"}]}, ConversationReceived.json_schema())


def test_asyncapi_names_every_topic_and_resolves_every_reference() -> None:
    document = yaml.safe_load((SNAPSHOTS.parent / "asyncapi.yaml").read_text("utf-8"))
    assert {channel["address"] for channel in document["channels"].values()} == {topic.name for topic in TOPICS}
    for reference in references(document):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for member in value.values() for found in references(member)]
    if isinstance(value, list):
        return [found for member in value for found in references(member)]
    return []
