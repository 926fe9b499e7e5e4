"""Conversations from JSON: one object a line (JSONL), or one document that holds an array of them."""

import re
from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any

from undertone.ingest.entries import DECODER, MAX_ENTRY_BYTES, Entry, Found, NotJson, Unreadable, json_problem, parse
from undertone.ingest.opening import CONVERT, DAMAGED, DAMAGED_GZIP, InputFile, Stream, read_what_is_whole

_CHUNK_CHARACTERS = 1024 * 1024
_NOT_AN_OBJECT = "is not a JSON object"
_TOO_LONG = f"is longer than {MAX_ENTRY_BYTES // (1024 * 1024)} MiB"
_MORE_FOLLOWS = (
    "more follows where the JSON document ends, and is not read; put all conversations into one array, or one a line "
    "(--format jsonl)"
)


class JsonLines:
    """One JSON object a line. Empty lines are passed over."""

    unit = "line"

    def __init__(self, file: InputFile) -> None:
        self._file = file

    def share_done(self) -> float:
        return self._file.share_done()

    def entries(self, skip: int = 0) -> Iterator[Found]:
        found = 0
        for number, line in self._lines():
            if isinstance(line, bytes) and not line.strip():
                continue
            found += 1
            if found > skip:
                yield Unreadable(number, line) if isinstance(line, str) else _read_line(number, line)

    def _lines(self) -> Iterator[tuple[int, bytes | str]]:
        """Each line with its number, or (as str) why it cannot be read."""
        number = 0
        with self._file.open() as stream:
            while True:
                number += 1
                try:
                    line = stream.readline(MAX_ENTRY_BYTES)
                    if not line:
                        return
                    if len(line) == MAX_ENTRY_BYTES and not line.endswith(b"\n"):
                        _pass_over_rest_of_line(stream)
                        yield number, _TOO_LONG
                        continue
                except DAMAGED_GZIP:
                    yield number, DAMAGED
                    return
                yield number, line


def _pass_over_rest_of_line(stream: Stream) -> None:
    while (piece := stream.readline(MAX_ENTRY_BYTES)) and not piece.endswith(b"\n"):
        pass


def _read_line(number: int, line: bytes) -> Found:
    line = line.strip()
    try:
        members = parse(line.decode())
    except UnicodeDecodeError as error:
        return Unreadable(number, f"is not UTF-8 (byte {error.start + 1} of the line); {CONVERT}")
    except NotJson as error:
        return Unreadable(number, str(error))
    if not isinstance(members, dict):
        return Unreadable(number, _NOT_AN_OBJECT)
    return Entry(number, members, line)


class JsonDocument:
    """A JSON array of conversations, or a single one, read piece by piece.

    After a conversation that is not valid JSON reading goes on behind its closing bracket.
    """

    unit = "conversation"

    def __init__(self, file: InputFile) -> None:
        self._file = file

    def share_done(self) -> float:
        return self._file.share_done()

    def entries(self, skip: int = 0) -> Iterator[Found]:
        with self._file.open() as stream:
            for number, value in enumerate(_values(_Text(stream)), start=1):
                if number <= skip:
                    continue
                if isinstance(value, NotJson):
                    yield Unreadable(number, str(value))
                elif isinstance(value, dict):
                    yield Entry(number, value)
                else:
                    yield Unreadable(number, _NOT_AN_OBJECT)


class _Text:
    """A window on the document's text that moves forward: `text[at:]` is what comes next."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._undecoded = b""
        self.text = ""
        self.at = 0
        self.is_complete = False
        self.problem: str | None = None
        self._is_utf8 = True

    def extend(self) -> bool:
        """Read more; False at the end of the file."""
        if self.is_complete:
            return False
        piece, is_damaged = read_what_is_whole(self._stream, max(_CHUNK_CHARACTERS, len(self.text) - self.at))
        self.problem = DAMAGED if is_damaged else None
        self.is_complete = is_damaged or not piece
        self._undecoded += piece
        # What is not UTF-8 stays visible as lone surrogates, so that only its own conversation is refused.
        decoded, self._undecoded = _decode(self._undecoded, is_last=self.is_complete)
        self._is_utf8 = self._is_utf8 and not _NOT_UTF8.search(decoded)
        self.text, self.at = self.text[self.at :] + decoded, 0
        return True

    def skip(self, pattern: re.Pattern[str]) -> None:
        """Pass over what matches, however far it goes."""
        while True:
            match = pattern.match(self.text, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self.text) or not self.extend():
                return

    def is_utf8(self, begin: int, end: int) -> bool:
        """Whether this part of the text was UTF-8 in the file."""
        return self._is_utf8 or _NOT_UTF8.search(self.text, begin, end) is None

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]


def _decode(content: bytes, *, is_last: bool) -> tuple[str, bytes]:
    """Decode all but a character that is cut off at the end."""
    cut = len(content)
    if not is_last:
        for back in range(1, min(4, len(content)) + 1):
            if content[-back] >= 0xC0:
                cut = len(content) - back
                break
            if content[-back] < 0x80:
                break
    return content[:cut].decode(errors="surrogateescape"), content[cut:]


_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_SPACE = re.compile(r"[ \t\r\n]+")
_SPACE_OR_COMMA = re.compile(r"[ \t\r\n,]+")


def _values(window: _Text) -> Iterator[Any]:
    """The document's conversations, or NotJson in the place of one that cannot be read."""
    window.skip(_SPACE)
    if window.peek() != "[":
        if window.peek():
            value = _next_value(window)
            yield value
            if not isinstance(value, NotJson):
                yield from _what_follows(window)
        return
    window.at += 1
    while True:
        window.skip(_SPACE_OR_COMMA)
        if window.peek() == "]":
            window.at += 1
            yield from _what_follows(window)
            return
        if not window.peek():
            yield NotJson(window.problem or "the file ends before the array does: it may be cut off")
            return
        value = _next_value(window)
        yield value
        if isinstance(value, NotJson) and window.is_complete and not window.peek():
            return  # what could not be read goes on to the file's end


def _what_follows(window: _Text) -> Iterator[NotJson]:
    """What is wrong behind the end of the document, where only blanks may stand."""
    window.skip(_SPACE)
    if window.peek():
        yield NotJson(_MORE_FOLLOWS)
    elif window.problem is not None:
        yield NotJson(window.problem)


def _next_value(window: _Text) -> Any:
    while True:
        try:
            value, end = DECODER.raw_decode(window.text, window.at)
        except RecursionError:
            problem = "is nested too deeply"
        except ValueError as error:
            problem = json_problem(error) if isinstance(error, JSONDecodeError) else str(error)
        else:
            if end < len(window.text) or window.is_complete:  # a number may go on in the next piece
                begin, window.at = window.at, end
                return value if window.is_utf8(begin, end) else NotJson(f"is not UTF-8; {CONVERT}")
            window.extend()
            continue
        if len(window.text) - window.at < MAX_ENTRY_BYTES and window.extend():
            continue
        window.at = _end_of_value(window.text, window.at)
        return NotJson(window.problem or problem)


_BRACKETS_AND_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[^\[\]{,]+', re.DOTALL)
"""A string, or all up to what may begin or end another value; never nothing, so that reading goes forward."""


def _end_of_value(text: str, begin: int) -> int:
    """Where a value that cannot be read ends: behind its word or closing bracket, else at the end of the text."""
    if text[begin] not in "[{":
        word = _WORD.match(text, begin)
        return word.end() if word else len(text)
    depth = 0
    for match in _BRACKETS_AND_STRINGS.finditer(text, begin):
        found = match.group()
        depth += (found in "[{") - (found in "]}")
        if depth == 0 and found in "]}":
            return match.end()
    return len(text)
