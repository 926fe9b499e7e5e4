"""What strangers wrote reaches no terminal as an order, whichever view shows it."""

import base64
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from undertone.dead_letters import views
from undertone.dead_letters.bytes_view import as_text, shown_block, shown_line

EVIL = "\x1b[31m\x9b2J\u202e[bold]x[/bold]"


def _printed(view: Any) -> str:
    console = Console(width=80, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(view)
    return capture.get()


def _assert_harmless(text: str) -> None:
    assert not {character for character in text if not character.isprintable() and character != "\n"}


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def a_letter(value: bytes) -> dict[str, Any]:
    return {
        "dead_letter_id": "1",
        "state": "waiting",
        "reason": EVIL,
        "detail": EVIL,
        "topic": EVIL,
        "partition": 0,
        "offset": 1,
        "conversation_id": "c1",
        "failed_at": "2026-03-02T09:30:00Z",
        "service": EVIL,
        "original_size": len(value),
        "fingerprint": "0123456789ab",
        "ancestors": [EVIL],
        "history": [{"at": "2026-03-02T09:31:00Z", "step": "refused", "done_by": EVIL, "problem": EVIL, "note": EVIL}],
        "record": {
            "key_base64": _base64(EVIL.encode()),
            "value_base64": _base64(value),
            "headers": [{"name": EVIL, "value_base64": _base64(EVIL.encode())}],
        },
    }


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_a_letter_is_shown_without_anything_that_a_terminal_obeys(value: bytes) -> None:
    _assert_harmless(_printed(views.letter_view(a_letter(value), 200)))


def test_lists_are_shown_without_anything_that_a_terminal_obeys() -> None:
    group = {
        **a_letter(b""),
        "count": 3,
        "first_seen": "2026-03-02T09:30:00Z",
        "last_seen": "2026-03-02T09:31:00Z",
        "newest": {"detail": EVIL},
    }
    action = {
        "started_at": "2026-03-02T09:31:00Z",
        "done_by": EVIL,
        "note": EVIL,
        "selection": {"state": "waiting", "reason": EVIL},
        "redriven": 1,
        "refused": 0,
        "dropped": 0,
    }
    for view in (views.groups_view([group]), views.letters_view([a_letter(b"")]), views.actions_view([action])):
        _assert_harmless(_printed(view))
        assert "[bold]x[/bold]" in _printed(view).replace("\n", "").replace(" ", "")


def test_text_is_shown_as_text_and_other_bytes_in_hexadecimal() -> None:
    assert as_text(b"a\nb") == "a\nb"
    assert as_text(b"a\x1bb") is None
    assert shown_line(b"\xff\x00") == "ff 00"
    assert next(iter(shown_block(b"\xff A", 100))).endswith(". A")
    assert "3 bytes more" in list(shown_block(b"abcdef", 3))[-1]


def test_a_detail_that_only_repeats_the_reason_is_not_shown_again() -> None:
    letter = a_letter(b"") | {"reason": "content_refused", "detail": "content_refused"}
    group = {
        "count": 1,
        "fingerprint": "f" * 16,
        "state": "waiting",
        "reason": "content_refused",
        "service": "analyzer",
        "topic": "t",
        "first_seen": "2026-01-01T00:00:00Z",
        "last_seen": "2026-01-01T00:00:00Z",
        "newest": {"detail": "content_refused"},
    }
    for view in (views.groups_view([group]), views.letters_view([letter]), views.letter_view(letter, 10)):
        assert _printed(view).count("content_refused") == 1
