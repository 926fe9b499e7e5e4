"""`python -m services.sink.erase CONVERSATION_ID | --known CONVERSATION_ID | --list | --again FILE`."""

import asyncio
import re
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from schemas.event import ID_PATTERN, Revision
from services.runtime.counting import counted
from services.runtime.settings import load_settings
from services.sink.erase import erase, erase_again, is_known, known_erasures, report
from services.sink.operator_connection import CannotAnswer, operator_connection
from services.sink.settings import SinkSettings

_USAGE_EXIT_CODE = 2


class CannotErase(Exception):  # noqa: N818 - it names what happened; the message is for the operator
    """Nothing was erased; one sentence says why."""


async def _erase_one(url: str, conversation_id: str) -> list[str]:
    async with operator_connection(url) as connection:
        return report(conversation_id, await erase(connection, conversation_id), datetime.now(UTC))


async def _known(url: str, conversation_id: str) -> list[str]:
    async with operator_connection(url) as connection:
        return ["known" if await is_known(connection, conversation_id) else "unknown"]


async def _list(url: str) -> list[str]:
    async with operator_connection(url) as connection:
        return [f"{conversation_id} {revision}" for conversation_id, revision in await known_erasures(connection)]


async def _erase_again(url: str, lines: Sequence[str]) -> list[str]:
    wanted = [_read_line(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    async with operator_connection(url) as connection:
        done = [await erase_again(connection, *one) for one in wanted]
    removed = counted(sum(not one.is_nothing for one in done), "conversation")
    return [f"{counted(len(done), 'erasure')} made; something was left of {removed}, and is removed."]


def _read_line(number: int, line: str) -> tuple[str, Revision]:
    conversation_id, _, revision = line.strip().partition(" ")
    try:
        timestamp_ms, offset = map(int, revision.split("-"))
    except ValueError:
        timestamp_ms = offset = -1
    if not re.fullmatch(ID_PATTERN, conversation_id) or min(timestamp_ms, offset) < 0:
        raise CannotErase(f"line {number} is none that --list writes (CONVERSATION_ID REVISION): nothing was erased")
    return conversation_id, Revision(timestamp_ms, offset)


async def _erase_those_in(url: str, file: Path) -> list[str]:
    try:
        lines = (await asyncio.to_thread(file.read_text, encoding="utf-8")).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotErase(f"{file} cannot be read ({type(error).__name__}): nothing was erased") from error
    return await _erase_again(url, lines)


def _asked(arguments: Sequence[str]) -> Callable[[str], Coroutine[Any, Any, list[str]]] | None:
    """What to do with the database at a URL; None when the arguments ask for nothing."""
    match list(arguments):
        case ["--list"]:
            return _list
        case ["--again", file]:
            return partial(_erase_those_in, file=Path(file))
        case ["--known", conversation_id] if re.fullmatch(ID_PATTERN, conversation_id):
            return partial(_known, conversation_id=conversation_id)
        case [conversation_id] if re.fullmatch(ID_PATTERN, conversation_id):
            return partial(_erase_one, conversation_id=conversation_id)
    return None


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit code."""
    asked = _asked(arguments)
    if asked is None:
        print(  # noqa: T201 - a command
            "usage: python -m services.sink.erase CONVERSATION_ID | --known CONVERSATION_ID | --list | --again FILE "
            "(an id has 1 to 128 of the characters A-Z a-z 0-9 . _ : - and is listed by `undertone insights`)",
            file=sys.stderr,
        )
        return _USAGE_EXIT_CODE
    try:
        lines = asyncio.run(asked(load_settings(SinkSettings).database_url.get_secret_value()))
    except (CannotErase, CannotAnswer) as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - a command
        return 1
    for line in lines:
        print(line)  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
