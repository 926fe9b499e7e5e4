"""Run the stack until somebody says stop: Ctrl-C and SIGTERM stop it in order, a second one forces."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

from undertone.embedded.kafka import silence_client_log
from undertone.embedded.prepare import PreparedStack, StackOptions, prepared_stack
from undertone.embedded.reporter import Reporter
from undertone.embedded.stack import Stack, running_stack

EXIT_INTERRUPTED = 130
WhenRunning = Callable[[Stack], Awaitable[int | None]]
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_in_foreground(options: StackOptions, reporter: Reporter, when_running: WhenRunning) -> int:
    """Run until a signal; return the exit code: 0 after a stop that was asked for, 130 when it never got to run.

    `when_running` is awaited once, when everything is ready; a number that it returns stops the stack and is the
    exit code, None lets the stack run on. Raises StackError when the stack cannot run.
    """
    silence_client_log()
    with prepared_stack(options, reporter) as prepared:
        return asyncio.run(_run(prepared, reporter, when_running))


async def _run(prepared: PreparedStack, reporter: Reporter, when_running: WhenRunning) -> int:
    stopper = _Stopper(reporter)
    stopper.listen()
    ran = False
    try:
        async with running_stack(prepared, reporter, made=stopper.watch) as stack:
            ran = True
            code = await when_running(stack)
            if code is not None:
                return code
            await stack.supervise()
    except asyncio.CancelledError:
        if not stopper.was_asked:
            raise
    return 0 if ran else EXIT_INTERRUPTED


class _Stopper:
    """Turns the first signal into an ordered stop and the second into the end of all processes."""

    def __init__(self, reporter: Reporter) -> None:
        self.was_asked = False
        self._reporter = reporter
        self._task = asyncio.current_task()
        self._stack: Stack | None = None

    def listen(self) -> None:
        for number in STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._stop)

    def watch(self, stack: Stack) -> None:
        self._stack = stack

    def _stop(self) -> None:
        if not self.was_asked:
            self.was_asked = True
            self._reporter.note("Stopping; once more forces it.")
            if self._task is not None:
                self._task.cancel()
        elif self._stack is not None:
            self._stack.kill()
