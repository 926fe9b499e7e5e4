"""Closed and open loops over many connections.

Closed: every connection sends its next request when the last is answered; this finds the capacity. Open: requests
fall due at a fixed rate, whether or not the server keeps up. One that finds no idle connection is sent late, and its
latency still counts from when it fell due (without that, a stalled server is asked less and looks fast: "coordinated
omission", Gil Tene, How NOT to Measure Latency). Event loops wake on whole milliseconds, so a request of an open loop
may leave up to 1 ms late; that counts as latency too.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from urllib.parse import SplitResult

from undertone.bench.connection import Connection
from undertone.bench.ledger import Ledger
from undertone.bench.posts import NextPost
from undertone.bench.recorder import Recorder
from undertone.bench.run import Plan, Run
from undertone.errors import CommandError

_OPENING_AT_ONCE = 200
_TICK_SECONDS = 0.25
"""How often a run looks whether it is over and which requests have waited too long."""
_RECONNECT_SECONDS = 0.05


class Load:
    """Open connections to one server, on which runs take place one after another; get one from `open_load`."""

    def __init__(self, url: SplitResult) -> None:
        self._host, self._port = url.hostname or "", url.port or 80
        self._open: set[Connection] = set()
        self._idle: OrderedDict[Connection, None] = OrderedDict()
        self._wanted = 0
        self._run: Run | None = None
        self._reopening: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._ticked_at = 0.0
        self._alone_since: float | None = None
        self.failed_to_open = 0
        """Attempts to connect that the server did not take."""

    @property
    def connections(self) -> int:
        """Those that are open now."""
        return len(self._open)

    @property
    def current(self) -> Run | None:
        """The run that takes place now."""
        return self._run

    async def connect(self, connections: int) -> None:
        """Have so many connections open. Raises CommandError when the server takes none."""
        self._wanted = connections
        turns = asyncio.Semaphore(_OPENING_AT_ONCE)

        async def open_one() -> None:
            async with turns:
                await self._open_one()

        await asyncio.gather(*(open_one() for _ in range(connections - len(self._open))))
        if connections and not self._open:
            raise CommandError(f"Nothing answers at http://{self._host}:{self._port}: is the ingress running there?")

    async def run(self, plan: Plan, next_post: NextPost, ledger: Ledger) -> Recorder:
        """Run a load on the open connections; returns when every request is answered or given up."""
        assert self._run is None, "one run at a time"
        self._run = run = Run(plan, next_post, ledger, monotonic)
        try:
            self._feed()
            while not (run.has_ended and run.in_flight == 0):
                await self._wait_a_moment(run)
                self._tick(run)
                self._feed()
        finally:
            self._run = None
        return run.finish()

    async def close(self) -> None:
        """Close every connection."""
        self._wanted = 0
        for connection in list(self._open):
            connection.close()
        for task in self._reopening:
            task.cancel()
        await asyncio.gather(*self._reopening, return_exceptions=True)

    async def _wait_a_moment(self, run: Run) -> None:
        """Until a request falls due on an idle connection, the last answer has come, or a tick is over."""
        self._changed.clear()
        wait = _TICK_SECONDS if run.has_ended or not self._idle else min(_TICK_SECONDS, run.seconds_until_due)
        try:
            async with asyncio.timeout(wait):
                await self._changed.wait()
        except TimeoutError:
            return

    def _feed(self) -> None:
        """Send what is due on idle connections; the one that rested longest goes first."""
        while self._run is not None and self._idle:
            connection, _ = self._idle.popitem(last=False)
            if not self._run.send_next(connection):
                self._idle[connection] = None
                self._idle.move_to_end(connection, last=False)
                return

    def _tick(self, run: Run) -> None:
        now = monotonic()
        if now < self._ticked_at + _TICK_SECONDS:
            return
        self._ticked_at = now
        self._alone_since = None if self._open else self._alone_since or now
        if self._alone_since is not None and now > self._alone_since + run.plan.timeout_seconds:
            raise CommandError(f"The server at http://{self._host}:{self._port} has gone away during the run.")
        self._give_up_those_sent_before(now - run.plan.timeout_seconds, run)

    def _give_up_those_sent_before(self, latest: float, run: Run) -> None:
        for connection in [one for one in self._open if one.post is not None and one.sent_at < latest]:
            run.unanswered(connection, "timeout")
            connection.post = None
            connection.close()

    async def _open_one(self) -> bool:
        try:
            await asyncio.get_running_loop().create_connection(lambda: Connection(self), self._host, self._port)
        except OSError:
            self.failed_to_open += 1
            return False
        return True

    async def _reopen(self) -> None:
        while len(self._open) < self._wanted:
            if await self._open_one():
                return
            await asyncio.sleep(_RECONNECT_SECONDS)

    # What connections tell.

    def opened(self, connection: Connection) -> None:
        self._open.add(connection)
        self._idle[connection] = None
        self._feed()

    def answered(self, connection: Connection, status: int, body: bytes) -> None:
        if self._run is not None:
            self._run.answered(connection, status, body)
            if self._run.in_flight == 0:
                self._changed.set()
        connection.post = None
        if connection.is_open:
            self._idle[connection] = None
            self._feed()
        else:
            connection.close()

    def lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._idle.pop(connection, None)
        if connection.post is not None and self._run is not None:
            self._run.unanswered(connection, "connection lost")
            connection.post = None
        if len(self._open) < self._wanted:
            task = asyncio.get_running_loop().create_task(self._reopen())
            self._reopening.add(task)
            task.add_done_callback(self._reopening.discard)


@asynccontextmanager
async def open_load(url: SplitResult, connections: int) -> AsyncIterator[Load]:
    """Connections to a server, closed in the end. Raises CommandError when the server takes none."""
    load = Load(url)
    try:
        await load.connect(connections)
        yield load
    finally:
        await load.close()
