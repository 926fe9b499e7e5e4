"""Reading completions, also broken ones."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analyzer.llm.reading import REPEATED_MEMBER, read_completion

THREE = json.dumps({"results": [{"id": "a", "n": 1}, {"id": "b", "n": [{"x": "]}"}]}, {"id": "c"}]})


def ids_in(completion: str) -> list[str]:
    return [result.value["id"] for result in read_completion(completion).results]


@pytest.mark.parametrize(
    "completion",
    [
        THREE,
        f"```json\n{THREE}\n```",
        f"  \n{THREE} and that is all",
        '{"thought": {"results": []}, "results": ' + THREE[THREE.index("[") :],
        THREE[THREE.index("[") : -1],
    ],
)
def test_results_are_found_in_whatever_they_are_wrapped_in(completion: str) -> None:
    reading = read_completion(completion)

    assert ids_in(completion) == ["a", "b", "c"]
    assert reading.is_whole
    assert reading.results[1].text == '{"id": "b", "n": [{"x": "]}"}]}'


@pytest.mark.parametrize(
    "completion",
    [
        "",
        "null",
        "Sure! " + THREE,
        '{"results": {"id": "a"}}',
        '{"results"',
        '{"a": 1}',
        "[" * 100_000,
        '{"a": ' * 9_999,
    ],
)
def test_what_holds_no_list_of_results_is_unreadable_or_empty(completion: str) -> None:
    assert read_completion(completion).results == ()


@given(st.integers(0, len(THREE) - 2))
def test_of_a_text_that_broke_off_the_complete_results_are_read(length: int) -> None:
    reading = read_completion(THREE[:length])

    complete = sum(length >= THREE.index(text) + len(text) for text in ('{"id": "a", "n": 1}', '}"}]}', '{"id": "c"}'))
    assert len(reading.results) == complete
    assert not reading.is_whole


def test_a_text_that_broke_off_within_a_result_is_cut_off() -> None:
    assert read_completion(THREE[:30]).is_cut_off
    assert not read_completion(THREE[:30] + "}]}").is_cut_off


def test_a_broken_result_does_not_cost_its_neighbours_theirs() -> None:
    completion = THREE.replace('"b", ', '"b" oops, ')

    assert ids_in(completion) == ["a", "c"]
    assert not read_completion(completion).is_whole


@pytest.mark.parametrize("number", ["9" * 5_000, "NaN", "-Infinity", "1e999"])
def test_an_impossible_number_does_not_cost_the_neighbours_theirs(number: str) -> None:
    assert ids_in(THREE.replace("1", number)) == ["a", "b", "c"]


def test_an_object_that_names_a_member_twice_is_no_result() -> None:
    reading = read_completion('{"results": [{"id": "a", "id": "b"}, {"id": "c"}]}')

    assert [result.value is REPEATED_MEMBER for result in reading.results] == [True, False]


def test_an_endless_list_is_read_only_so_far() -> None:
    assert len(read_completion('{"results": [' + "1," * 100_000).results) == 500


@given(st.text(max_size=300) | st.text(alphabet='{}[]",:\\ \nresultsid0-9.eE+', max_size=300))
def test_no_text_raises(completion: str) -> None:
    read_completion(completion)
    read_completion('{"results": [' + completion)
