"""What is printed: results on standard output, progress on standard error, and customers' words made harmless.

Whatever a customer wrote may hold terminal escapes, markup of our own printing library or characters that turn
the direction of writing; `words` makes it plain text.
"""

import json
import re
import shutil
import signal
import sys
import textwrap
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import IO, Any, cast

import typer
from rich.console import Console
from rich.text import Text

from undertone.errors import CommandError, UsageProblem


class Results(Console):
    """Standard output. Without a terminal lines end where their text does: rich pads those of tables to the width."""

    @property
    def file(self) -> IO[str]:
        """Where this console writes."""
        file = super().file
        return file if file.isatty() else cast("IO[str]", _Unpadded(file))

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        self._file = new_file


class _Unpadded:
    """A text file that leaves out blanks at the ends of lines; whole lines are written at once."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        self._file.write(_BLANKS_AT_END.sub("", text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


_BLANKS_AT_END = re.compile(r" +(?=\n)")


def new_output(width: int | None = None) -> Console:
    """A console for results, as wide as the terminal unless it is told another width."""
    return Results(highlight=False, soft_wrap=False, width=width)


@cache
def output() -> Console:
    """Where results go."""
    return new_output()


@cache
def progress_output() -> Console:
    """Where progress goes, so that results can be piped."""
    return Console(stderr=True, highlight=False)


def harmless(text: str) -> str:
    """The text without anything that a terminal obeys: controls become a visible sign, breaks become spaces.

    Format characters go too (category Cf: they reverse or hide what follows), except the joiner that emoji need.
    """
    return "".join(_harmless_character(character) for character in text)


def _harmless_character(character: str) -> str:
    if character.isprintable():
        return character
    if character.isspace():
        return " "
    category = unicodedata.category(character)
    if category == "Cf":
        return character if character == "\u200d" else ""
    return "\N{REPLACEMENT CHARACTER}"


def harmless_paragraphs(text: str) -> str:
    """Like `harmless`, keeping line breaks: for a whole transcript."""
    return "\n".join(harmless(line) for line in text.splitlines())


def words(text: str, style: str = "") -> Text:
    """A customer's words as text that is never read as markup; line breaks stay. A plain str in a table would be."""
    return Text(harmless_paragraphs(text), style=style)


def is_json_escaped() -> bool:
    """Whether JSON of results is written in ASCII.

    To a terminal, since it obeys some characters, and in an encoding that may not hold all of them.
    """
    return sys.stdout.isatty() or not output().encoding.startswith("utf")


def print_json(members: Any) -> None:
    """Print results for a program."""
    print(json.dumps(members, indent=2, ensure_ascii=is_json_escaped()))  # noqa: T201 - for programs


def is_terminal() -> bool:
    """Whether a person watches the progress."""
    return progress_output().is_terminal


def tell(sentence: str) -> None:
    """Print a sentence among the results, wrapped at words where a person reads it; a program gets one line."""
    output().print(sentence, markup=False, soft_wrap=not output().is_terminal)


def tell_facts(lines: Iterable[str], indent: int) -> None:
    """Print lines of a name and what is said of it, from column `indent` on, where the rest of a long one stands, too.

    A program gets whole lines.
    """
    for line in lines:
        text = line
        if output().is_terminal:
            hanging = " " * indent if line.startswith(" ") else ""
            wrapper = textwrap.TextWrapper(
                output().width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False
            )
            text = wrapper.fill(line)
        output().print(text, markup=False, soft_wrap=True)


def complain(sentence: str) -> None:
    """Tell a person what went wrong, wrapped at words where they read it; a program gets whole lines."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        wrapper = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
        sentence = "\n".join(wrapper.fill(line) for line in sentence.splitlines())
    sys.stderr.write(f"{sentence}\n")


def confirm(question: str, otherwise: str = "Nothing was done.") -> None:
    """Return when the person agrees. Raises UsageProblem where nobody can be asked, CommandError when they do not."""
    if not sys.stdin.isatty():
        raise UsageProblem(f"{question} Nobody can be asked here: add --yes. {otherwise}")
    with _interruptible():
        is_agreed = typer.confirm(question, err=True)
    if not is_agreed:
        raise CommandError(otherwise)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends what waits in this block. An event loop takes it as a wish to cancel a task, which waits here."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def say(text: str) -> None:
    """Tell the person something beside the results."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is the place that prints
