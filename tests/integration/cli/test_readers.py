"""Files as people have them: every kind, every kind of damage; what is good is always read."""

import bz2
import gzip
import io
import json
import lzma
import os
import re
import zipfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.cli.files import GOOD, open_file, read_file, write_file
from undertone.errors import UsageProblem
from undertone.ingest import json_files
from undertone.ingest.entries import Entry, Found, Unreadable
from undertone.ingest.json_files import JsonDocument, JsonLines
from undertone.ingest.opening import InputFile
from undertone.ingest.twitter_csv import TwitterCsv


def _summary(found: Sequence[Found]) -> list[tuple[int, str]]:
    return [(one.number, "good" if isinstance(one, Entry) else one.problem) for one in found]


def test_lines_are_read_and_passed_on_as_they_stand(tmp_path: Path) -> None:
    content = (
        b"\xef\xbb\xbf" + GOOD + b"\r\n\n  \n" + GOOD + b"  \n" + GOOD
    )  # a mark, CRLF, blank lines, no end of line
    found = read_file(write_file(tmp_path, "a.jsonl", content))
    assert _summary(found) == [(1, "good"), (4, "good"), (5, "good")]
    assert all(isinstance(one, Entry) and one.text == GOOD for one in found)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"text": "a"', "is not JSON: expecting ',' delimiter at column 13"),
        (b"hello", "is not JSON: expecting value at column 1"),
        (b'{"text": "a\x01"}', "is not JSON: invalid control character at column 12"),
        (b'{"n": NaN}', "contains NaN, which JSON does not have"),
        (b'{"n": -Infinity}', "contains -Infinity, which JSON does not have"),
        (b'{"text": "a", "text": "b"}', "has the member 'text' twice"),
        (b"[" * 100_000 + b"]" * 100_000, "is nested too deeply"),
        (b'{"text": "caf\xe9"}', "is not UTF-8 (byte 14 of the line)"),
        (b'{"n": ' + b"1" * 5000 + b"}", "Exceeds the limit"),
        (b'["a"]', "is not a JSON object"),
        (b"\x00\x01\x02", "is not JSON"),
    ],
)
def test_a_bad_line_is_named_by_its_number_and_hurts_no_other(tmp_path: Path, line: bytes, problem: str) -> None:
    found = read_file(write_file(tmp_path, "a.jsonl", b"\n".join([GOOD, line, GOOD])))
    assert [one.number for one in found] == [1, 2, 3]
    assert isinstance(found[0], Entry)
    assert isinstance(found[2], Entry)
    assert isinstance(found[1], Unreadable)
    assert found[1].problem.startswith(problem)


def test_a_line_without_end_is_passed_over_with_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_files, "MAX_ENTRY_BYTES", 1000)
    found = read_file(write_file(tmp_path, "a.jsonl", GOOD + b"\n" + b"x" * 5000 + b"\n" + GOOD))
    assert [number for number, _ in _summary(found)] == [1, 2, 3]
    assert "is longer than" in _summary(found)[1][1]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl"])
def test_gzip_is_told_by_its_content_whatever_the_name(tmp_path: Path, name: str) -> None:
    assert _summary(read_file(write_file(tmp_path, name, gzip.compress(GOOD + b"\n" + GOOD)))) == [
        (1, "good"),
        (2, "good"),
    ]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.json.gz"])
def test_a_gzip_file_that_is_cut_off_gives_what_is_whole_and_says_so(tmp_path: Path, name: str) -> None:
    entries = [f'{{"conversation_id": "c{n}", "turns": [{{"text": "{os.urandom(300).hex()}"}}]}}' for n in range(2000)]
    text = "\n".join(entries) if "jsonl" in name else f"[{','.join(entries)}]"
    packed = gzip.compress(text.encode())
    found = read_file(write_file(tmp_path, name, packed[: len(packed) // 2]))
    assert len(found) > 500
    assert isinstance(found[-1], Unreadable)
    assert all(isinstance(one, Entry) for one in found[:-1])


def test_the_first_entries_are_left_out_when_an_ingest_goes_on(tmp_path: Path) -> None:
    lines = write_file(tmp_path, "a.jsonl", b"\n".join([GOOD, b"", b"bad", GOOD]))
    assert [one.number for one in open_file(lines).entries(skip=1)] == [3, 4]
    document = write_file(tmp_path, "a.json", b"[%s, 7, %s]" % (GOOD, GOOD))
    assert [one.number for one in open_file(document).entries(skip=2)] == [3]


def test_a_document_may_be_one_conversation_or_an_array(tmp_path: Path) -> None:
    pretty = json.dumps(json.loads(GOOD), indent=2).encode()
    assert _summary(read_file(write_file(tmp_path, "one.json", pretty))) == [(1, "good")]
    assert _summary(read_file(write_file(tmp_path, "many.json", b" [%s ,\n%s]\n" % (pretty, GOOD)))) == [
        (1, "good"),
        (2, "good"),
    ]
    assert read_file(write_file(tmp_path, "none.json", b"[]")) == []
    assert read_file(write_file(tmp_path, "empty.json", b"")) == []


@pytest.mark.parametrize(
    ("element", "problem"),
    [
        (b'{"n": NaN}', "contains NaN"),
        (b'{"text": "a", }', "is not JSON"),
        (b'{"text": "caf\xe9"}', "is not UTF-8"),
        (b'{"text": "a [ } \\" b" "c"}', "is not JSON"),
        (b'{"a": 1, "a": 2}', "has the member 'a' twice"),
        (b"17", "is not a JSON object"),
        (b"nonsense", "is not JSON"),
        (b"NaN", "contains NaN"),
        (b'"a \x01 b"', "is not JSON"),
        (b"}", "is not JSON"),
    ],
)
def test_a_bad_element_of_a_document_hurts_no_other(tmp_path: Path, element: bytes, problem: str) -> None:
    found = read_file(write_file(tmp_path, "a.json", b"[%s, %s, %s]" % (GOOD, element, GOOD)))
    bad = [one.problem for one in found if isinstance(one, Unreadable)]
    assert len(bad) == 1
    assert bad[0].startswith(problem)
    assert sum(isinstance(one, Entry) for one in found) == 2


def test_a_document_that_is_cut_off_says_so(tmp_path: Path) -> None:
    found = read_file(write_file(tmp_path, "a.json", b"[%s, %s" % (GOOD, GOOD)))
    assert _summary(found)[:2] == [(1, "good"), (2, "good")]
    assert "cut off" in _summary(found)[2][1]


def test_a_bracket_too_many_between_conversations_is_one_problem(tmp_path: Path) -> None:
    path = write_file(tmp_path, "a.json", b"[%s}, %s]" % (GOOD, GOOD))
    found = list(islice(open_file(path).entries(), 10))  # reading that does not go forward would never end
    assert _summary(found) == [(1, "good"), (2, "is not JSON: expecting value"), (3, "good")]


@pytest.mark.parametrize(
    ("document", "good"),
    [(b"[%s]\n[%s]", 1), (b"[%s, %s] and more", 2), (b"%s\n%s", 1), (b"[%s] %s", 1)],
)
def test_what_follows_the_end_of_a_document_is_not_lost_in_silence(tmp_path: Path, document: bytes, good: int) -> None:
    found = read_file(write_file(tmp_path, "a.json", document % (GOOD, GOOD)), "json")
    assert [isinstance(one, Entry) for one in found] == [True] * good + [False]
    assert isinstance(found[-1], Unreadable)
    assert found[-1].problem.startswith("more follows")


def test_a_whole_document_in_a_gzip_file_that_is_cut_off_says_so(tmp_path: Path) -> None:
    found = read_file(write_file(tmp_path, "a.json.gz", gzip.compress(b"[%s]" % GOOD)[:-6]))
    assert [(number, text[:18]) for number, text in _summary(found)] == [(1, "good"), (2, "the gzip data is d")]


_members = st.dictionaries(
    st.text(max_size=5), st.recursive(st.none() | st.integers() | st.text(), st.lists), max_size=4
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(_members, max_size=5), st.sampled_from([1, 2, 3, 7, 64]), st.booleans())
def test_a_document_read_piece_by_piece_equals_the_document_read_whole(
    tmp_path: Path, elements: list[dict[str, Any]], chunk: int, ascii_only: bool
) -> None:
    text = json.dumps(elements, ensure_ascii=ascii_only, indent=1)
    path = write_file(tmp_path, "a.json", text.encode(errors="replace"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_files, "_CHUNK_CHARACTERS", chunk)
        found = list(JsonDocument(InputFile(path)).entries())
    assert [one.members for one in found if isinstance(one, Entry)] == json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.jsonl", b"", JsonLines),
        ("a.ndjson", b"[]", JsonLines),
        ("a.json", b"[{}]", JsonDocument),
        ("a.json", b'{\n"turns": []\n}', JsonDocument),
        ("a.json", b'{"turns": []}\n{"turns": []}', JsonLines),
        ("export", b'{"turns": []}\n{"turns": []}', JsonLines),
        ("export.txt", b"tweet_id,inbound,created_at,text,in_response_to_tweet_id\n", TwitterCsv),
    ],
)
def test_the_kind_of_a_file_is_told_by_its_name_and_its_beginning(
    tmp_path: Path, name: str, content: bytes, kind: type
) -> None:
    assert isinstance(open_file(write_file(tmp_path, name, content)), kind)


def _zip_of(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("export.csv", content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_zip_of(b"[]"), "is a zip archive; unpack it first (unzip "),
        (bz2.compress(b"[]"), "is packed with bzip2"),
        (lzma.compress(b"[]"), "is packed with xz"),
    ],
)
def test_a_file_that_is_packed_otherwise_than_with_gzip_is_refused_with_the_way_to_unpack_it(
    tmp_path: Path, content: bytes, said: str
) -> None:
    with pytest.raises(UsageProblem, match=re.escape(said)):
        open_file(write_file(tmp_path, "export.csv", content))
