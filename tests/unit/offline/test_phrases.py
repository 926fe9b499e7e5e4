"""Finding entries in tokens: the fast look-up agrees with a plain search."""

from hypothesis import given
from hypothesis import strategies as st

from services.analyzer.offline.phrases import PhraseBook

WORDS = st.sampled_from(["on", "hold", "not", "working", "the", "#"])
ENTRIES = st.dictionaries(st.lists(WORDS, min_size=1, max_size=4).map(tuple), st.integers(0, 9), max_size=12)


def plain_search(entries: dict[tuple[str, ...], int], tokens: list[str]) -> list[tuple[int, int, int]]:
    found, index = [], 0
    while index < len(tokens):
        for length in range(min(4, len(tokens) - index), 0, -1):
            entry = tuple(tokens[index : index + length])
            if entry in entries:
                found.append((index, length, entries[entry]))
                index += length - 1
                break
        index += 1
    return found


@given(ENTRIES, st.lists(WORDS, max_size=20))
def test_a_phrase_book_finds_what_a_plain_search_finds(entries: dict[tuple[str, ...], int], tokens: list[str]) -> None:
    assert list(PhraseBook(entries.items()).find(tokens)) == plain_search(entries, tokens)
