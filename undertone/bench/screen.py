"""What a person sees of a run: a line that moves while it lasts, and a summary."""

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from services.runtime.counting import counted
from undertone.bench.histogram import Histogram
from undertone.bench.load import Load
from undertone.bench.result import Result, ServerCost
from undertone.bench.run import Plan

_PLAIN_EVERY_SECONDS = 5.0


class Progress:
    """Live in a terminal; a line now and then in a pipe."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._said_at = 0.0
        self._answers_then = 0
        self._then = 0.0
        self._rate = 0.0

    def __enter__(self) -> "Progress":
        if self._console.is_terminal:
            self._live = Live(Text("connecting …"), console=self._console, transient=True, refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, load: Load) -> None:
        """Show how far the run is."""
        if load.current is None:
            return
        elapsed = load.current.elapsed_seconds
        line = self._line(load, elapsed)
        if self._live is not None:
            self._live.update(line)
        elif elapsed - self._said_at >= _PLAIN_EVERY_SECONDS:
            self._said_at = elapsed
            self._console.print(line, soft_wrap=True)

    def _line(self, load: Load, elapsed: float) -> Text:
        run = load.current
        assert run is not None
        recorder = run.recorder
        answers = recorder.latency.count
        if elapsed - self._then >= 1:
            self._rate = (answers - self._answers_then) / (elapsed - self._then)
            self._answers_then, self._then = answers, elapsed
        statuses = "  ".join(f"{name} {count:,}" for name, count in sorted(recorder.answers.items()))
        last = recorder.slices[-1] if recorder.slices else None
        latency = f"p50 {last.p50_ms:.1f} p99 {last.p99_ms:.1f} ms" if last else ""
        return Text(
            f"{_how_far(run.plan, elapsed, recorder.sent)}  {self._rate:,.0f}/s  {latency}  {statuses}  "
            f"{counted(load.connections, 'connection')}"
        )


def _how_far(plan: Plan, elapsed: float, sent: int) -> str:
    if plan.seconds is not None:
        return f"{min(elapsed, plan.seconds):.0f} of {plan.seconds:g} s"
    return f"{sent:,} of {plan.requests:,}"


def print_summary(console: Console, result: Result) -> None:
    """What came of a run, readable in 80 columns."""
    table = Table.grid(padding=(0, 2))
    for name, value in _rows(result):
        table.add_row(Text(name, style="dim"), Text(value))
    console.print(table)
    for complaint in result.complaints():
        console.print(Text.assemble(("✗ ", "red"), complaint), soft_wrap=True)


def _rows(result: Result) -> list[tuple[str, str]]:
    recorder = result.recorder
    answers = ", ".join(f"{name}: {count:,}" for name, count in sorted(recorder.answers.items()))
    accepted = counted(len(result.ledger.accepted), "conversation")
    rows = [
        ("requests", f"{recorder.sent:,} in {result.seconds:.1f} s: {answers or 'no answers'}"),
        (
            "accepted",
            f"{accepted}, {result.accepted_per_second:,.0f} a second",
        ),
        ("latency of a 202", _latency(recorder.accepted_latency)),
    ]
    if recorder.never_sent:
        rows.append(("never sent", f"{recorder.never_sent:,} fell due and found no idle connection"))
    if result.server is not None:
        rows.append(("the ingress", _cost(result.server)))
    rows.append(("in Kafka", _verdict(result)))
    return rows


def _latency(histogram: Histogram) -> str:
    percentiles = ", ".join(f"p{percent:g} {histogram.percentile_ms(percent):.1f}" for percent in (50, 90, 99, 99.9))
    return f"{percentiles}, max {histogram.largest_ms:.1f} ms"


def _cost(cost: ServerCost) -> str:
    memory = f"memory {cost.memory_before_mib:.0f} → {cost.memory_after_mib:.0f} MiB"
    return f"{cost.cpu_us_per_request:,.0f} µs CPU a request, {memory}"


def _verdict(result: Result) -> str:
    audit = result.audit
    if audit is None:
        return "not looked at"
    late = f"; {audit.unknown_but_stored:,} of those without a 202 are there too" if audit.unknown_but_stored else ""
    if audit.is_clean:
        return f"every 202 exactly once ({audit.accepted:,}){late}"
    return f"of {audit.accepted:,}: {audit.missing:,} missing, {audit.stored_twice:,} more than once{late}"
