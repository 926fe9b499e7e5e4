"""What the search for bad conversations costs, as a part of what it may cost: 1 + k ceil(log2 B) + k extra calls.

For each batch size B and number k of bad conversations the worst of many placements counts: all of them where they
are few, else random ones. Bad conversations make a call fail as a whole, have their own results refused, or both.

    python -m benchmarks.llm_search [--placements 3000] [--seed 0]
"""

import argparse
import itertools
import math
import random
from collections.abc import Iterator

from benchmarks.measure import Report, run
from services.analyzer.llm.search import BadConversationSearch

SIZES = (1, 2, 5, 10, 25, 32, 50)
BAD = (1, 2, 3, 5, 10)


def extra_calls(size: int, failing: set[int], refused: set[int]) -> int:
    """Calls beyond the first. Raises AssertionError when the search blames the wrong ones."""
    search = BadConversationSearch(size)
    calls = 0
    while call := search.next_call():
        calls += 1
        if failing & set(call):
            search.failed("unusable")
        else:
            search.answered({position: "out_of_range" for position in call if position in refused})
    assert set(search.bad) == failing | refused, "the wrong conversations were blamed"
    return calls - 1


def placements(size: int, bad: int, most: int, chance: random.Random) -> Iterator[tuple[int, ...]]:
    """All of them, or so many random ones."""
    if math.comb(size, bad) <= most:
        yield from itertools.combinations(range(size), bad)
        return
    for _ in range(most):
        yield tuple(chance.sample(range(size), bad))


async def main(report: Report, options: argparse.Namespace) -> None:
    chance = random.Random(options.seed)
    for size, bad in itertools.product(SIZES, BAD):
        if bad > size:
            continue
        allowed = 1 + bad * math.ceil(math.log2(size)) + bad
        worst = 0
        for placed in placements(size, bad, options.placements, chance):
            split = chance.randrange(bad + 1)
            for failing in (set(placed), set(), set(placed[:split])):
                worst = max(worst, extra_calls(size, failing, set(placed) - failing))
        report.at_most(f"{bad:>2} bad of {size:>2}: worst extra calls {worst:>2} of {allowed:>2}", worst / allowed, 1.0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--placements", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=0)
    run(main, parser.parse_args())
