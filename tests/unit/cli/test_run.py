import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from undertone.errors import CommandError
from undertone.ingest.batches import Rejection
from undertone.ingest.checkpoint import Checkpoint, Progress
from undertone.ingest.entries import Entry, Found, Unreadable
from undertone.ingest.outgoing import Dating, Outgoing
from undertone.ingest.report import Report
from undertone.ingest.run import Ingest, Options
from undertone.ingest.sending import Sent
from undertone.ingest.watching import Unwatched


class FakeReader:
    """So many conversations; every tenth place in the file cannot be read."""

    unit = "line"

    def __init__(self, count: int) -> None:
        self.count = count

    def entries(self, skip: int = 0) -> Iterator[Found]:
        for number in range(skip + 1, self.count + 1):
            if number % 10 == 0:
                yield Unreadable(number, "is not JSON")
            else:
                yield Entry(number, {"conversation_id": f"c{number}", "turns": [{"text": "x"}]})

    def share_done(self) -> float:
        return 0.5


class FakeSender:
    """Takes what it is sent, later batches sooner; rejects each c…7, and stops working after `breaks_after`."""

    max_batch_bytes = 1_000_000

    def __init__(self, breaks_after: int | None = None) -> None:
        self.sent: list[str] = []
        self.breaks_after = breaks_after
        self.under_way = 0
        self.most_under_way = 0

    async def check(self) -> None: ...

    async def send(self, batch: Sequence[Outgoing]) -> Sent:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        for _ in range(5 - self.under_way):
            await asyncio.sleep(0)
        self.under_way -= 1
        if self.breaks_after is not None and len(self.sent) >= self.breaks_after:
            raise CommandError("the ingress went away")
        self.sent += [str(one.conversation_id) for one in batch]
        ends_in_7 = [position for position, one in enumerate(batch) if one.number % 10 == 7]
        return Sent({position: [("turns.0.text", "is bad")] for position in ends_in_7})


class RememberedReport(Report):
    """Keeps its lines in memory."""

    def __init__(self) -> None:
        self.rejections: list[Rejection] = []

    def write(self, rejections: Sequence[Rejection]) -> int:
        self.rejections += rejections
        return len(self.rejections)

    def close(self) -> None: ...


class RememberedCheckpoint(Checkpoint):
    """Keeps the last state in memory."""

    def __init__(self) -> None:
        self.saved: list[int] = []

    def save(self, progress: Progress) -> None:
        self.saved.append(progress.entries)


def _progress(entries: int = 0) -> Progress:
    return Progress("the file", datetime(2026, 11, 21, tzinfo=UTC).isoformat(), entries=entries)


async def _ingest(
    sender: FakeSender, progress: Progress, report: Report | None = None, *, count: int = 100, limit: int | None = None
) -> RememberedCheckpoint:
    checkpoint = RememberedCheckpoint()
    ingest = Ingest(
        reader=FakeReader(count),
        sender=sender,
        progress=progress,
        report=report or RememberedReport(),
        dating=Dating(now=progress.now),
        options=Options(batch_size=7, in_flight=3, limit=limit),
        watcher=Unwatched(),
        checkpoint=checkpoint,
        clock=lambda: 0.0,
    )
    try:
        await ingest.run()
    finally:
        assert checkpoint.saved[-1] == progress.entries
    return checkpoint


async def test_every_entry_is_accepted_or_reported_in_the_files_order() -> None:
    sender, progress, report = FakeSender(), _progress(), RememberedReport()
    await _ingest(sender, progress, report)
    assert (progress.entries, progress.accepted, progress.rejected) == (100, 80, 20)
    assert len(sender.sent) == len(set(sender.sent)) == 90
    assert [rejection.number for rejection in report.rejections] == sorted([*range(7, 100, 10), *range(10, 101, 10)])


async def test_several_requests_are_under_way_and_never_more_than_allowed() -> None:
    sender = FakeSender()
    await _ingest(sender, _progress())
    assert sender.most_under_way == 3


@pytest.mark.parametrize("breaks_after", [0, 20, 50])
async def test_an_ingest_that_broke_goes_on_without_losing_or_miscounting_anything(breaks_after: int) -> None:
    progress, report = _progress(), RememberedReport()
    broken = FakeSender(breaks_after)
    with pytest.raises(CommandError, match="the ingress went away"):
        await _ingest(broken, progress, report)
    assert progress.entries < 100
    mended = FakeSender()
    await _ingest(mended, progress, report)
    assert (progress.entries, progress.accepted, progress.rejected) == (100, 80, 20)
    assert set(broken.sent) | set(mended.sent) == {f"c{number}" for number in range(1, 101) if number % 10}
    assert len(report.rejections) == 20


async def test_a_limit_counts_the_entries_of_the_file_also_when_going_on() -> None:
    sender, progress = FakeSender(), _progress()
    await _ingest(sender, progress, limit=25)
    assert progress.entries == 25
    await _ingest(sender, progress, limit=40)
    assert progress.entries == 40
    assert set(sender.sent) == {f"c{number}" for number in range(1, 41) if number % 10}


def test_a_report_line_has_its_place_its_field_and_its_problem(tmp_path: Path) -> None:
    report = Report(tmp_path / "report.jsonl", Path("a.jsonl"), "line")
    size = report.write([Rejection(3, "c\ud800", [("turns.0.text", "is required"), ("", "is too long")])])
    report.close()
    lines = (tmp_path / "report.jsonl").read_text(encoding="utf-8").splitlines()
    assert lines[0] == (
        '{"file": "a.jsonl", "line": 3, "conversation_id": "c\\ud800", "field": "turns.0.text", '
        '"problem": "is required"}'
    )
    assert '"field"' not in lines[1]
    assert size == (tmp_path / "report.jsonl").stat().st_size


def test_a_report_that_is_continued_forgets_what_was_written_after_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "report.jsonl"
    first = Report(path, Path("a.jsonl"), "line")
    kept = first.write([Rejection(1, None, [("", "one")])])
    first.write([Rejection(2, None, [("", "two")])])
    first.close()
    second = Report(path, Path("a.jsonl"), "line", keep_bytes=kept)
    second.write([Rejection(3, None, [("", "three")])])
    second.close()
    problems = [line.split('"problem": ')[1] for line in path.read_text(encoding="utf-8").splitlines()]
    assert problems == ['"one"}', '"three"}']
