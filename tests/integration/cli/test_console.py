"""What a person does at a question, on a real terminal."""

import asyncio
import os
import signal
import sys

_ASKS = """
import asyncio
import typer
from undertone.console import confirm

async def command():
    confirm("Send them?")

try:
    asyncio.run(command())
except typer.Abort:
    print("ended")
"""


async def test_one_ctrl_c_ends_a_question_that_is_asked_within_an_event_loop() -> None:
    person, terminal = os.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _ASKS),
            stdin=terminal,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        assert process.stdout is not None
        await asyncio.wait_for(process.stderr.readuntil(b"[y/N]:"), 60)
        process.send_signal(signal.SIGINT)
        try:
            assert (await asyncio.wait_for(process.stdout.readline(), 60)).strip() == b"ended"
        finally:
            os.write(person, b"\n")  # a question that goes on gets its answer
            await process.wait()
    finally:
        os.close(person)
        os.close(terminal)
