"""What a limit costs a request: our few lines in memory against throttled-py in memory, and the way to Redis.

    python -m benchmarks.limits_cost [--calls 20000] [--rounds 3]

CPU time of this process a call. When ours costs more than half of throttled-py's, the library should count in memory
as well as in Redis.
"""

import argparse
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

from pydantic import SecretStr
from throttled.asyncio import MemoryStore, Throttled, per_min, per_sec

from benchmarks.measure import Report, abba, median, run
from services.runtime.inbound import windows_of
from services.runtime.rate_limits import SlidingWindows, TokenBucket, WindowLimit
from tests.infrastructure.redis_server import running_redis

PLENTY = 10_000_000
LIMIT = WindowLimit(PLENTY, 60)

Call = Callable[[], Awaitable[object]]


async def cpu_us(call: Call, calls: int) -> float:
    """Microseconds of CPU a call."""
    await call()
    began = time.process_time()
    for _ in range(calls):
        await call()
    return (time.process_time() - began) / calls * 1e6


async def compare(report: Report, name: str, ours: Call, reference: Call, asked: Any) -> None:
    """Both, and their ratio."""
    own, other = await abba(partial(cpu_us, ours, asked.calls), partial(cpu_us, reference, asked.calls), asked.rounds)
    report.note(f"{name}: {median(own):.2f} µs, throttled-py {median(other):.2f} µs")
    report.at_most(f"{name} in memory / throttled-py", median(own) / median(other), 0.5, unit="x")


async def main(report: Report, asked: Any) -> None:
    """Bucket and window in memory, then the window in a Redis of our own."""
    bucket, windows = TokenBucket(PLENTY, PLENTY), SlidingWindows()
    their_bucket = Throttled(using="token_bucket", quota=per_sec(PLENTY, PLENTY), store=MemoryStore())
    their_windows = Throttled(using="sliding_window", quota=per_min(PLENTY), store=MemoryStore())

    async def take() -> object:
        return bucket.take()

    await compare(report, "token bucket", take, partial(their_bucket.limit, "instance"), asked)
    await compare(report, "sliding window", partial(windows.take, "a", LIMIT), partial(their_windows.limit, "a"), asked)
    with running_redis() as server:
        async with aclosing(windows_of(SecretStr(server.url), "bench")) as shared:
            cost = await cpu_us(partial(shared.take, "a", LIMIT), max(1, asked.calls // 10))
            report.note(f"sliding window in Redis: {cost:.0f} µs")
            report.holds("Redis counted", is_met="memory" not in shared.description, found=shared.description)


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000, help="in each round")
    parser.add_argument("--rounds", type=int, default=3, help="of ABBA")
    return parser.parse_args()


if __name__ == "__main__":
    run(main, options())
