"""Files that cannot be read at all are refused with one sentence."""

import errno
import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.integration.cli.files import GOOD, open_file, read_file, write_file
from undertone.errors import UsageProblem
from undertone.ingest import opening
from undertone.ingest.checkpoint import describe_source

_NOBODY = 65534


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"Dear all,\n", "neither JSON nor the CSV of Twitter"),
        ("a.csv", b"id;text\n1;a\n", "lacks the columns tweet_id, inbound, created_at, text, in_response_to_tweet_id"),
        ("a.csv", b"", "lacks the columns"),
        ("a.csv", b"id,text\n1,a\n", "Bring other tables as JSONL"),
        ("a.csv", "größe,text\n".encode("latin-1"), r"header of .* is not UTF-8; .*iconv -f LATIN1 .* > utf8.csv"),
        ("a.csv", "tweet_id,text\n".encode("utf-16"), r"is written in UTF-16; .*iconv -f UTF-16 .* > utf8.csv"),
        ("a.csv", "tweet_id,text\n".encode("utf-16-le"), "is written in UTF-16LE"),
        ("a.CSV", "tweet_id,text\n".encode("utf-16-be"), "is written in UTF-16BE"),
        ("a.csv", "tweet_id,text\n".encode("utf-32"), "is written in UTF-32"),
        ("a.csv.gz", gzip.compress("tweet_id,text\n".encode("utf-16"), mtime=0), r"UTF-16; .*gzip -dc .* > utf8.csv"),
        ("a.jsonl", "{}".encode("utf-16"), "is written in UTF-16"),
        ("a.json.gz", gzip.compress(GOOD, mtime=0)[:9], "its gzip data cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_refused_with_one_sentence(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    with pytest.raises(UsageProblem, match=said):
        read_file(write_file(tmp_path, name, content))


def test_what_is_no_file_is_refused_with_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="does not exist"):
        open_file(tmp_path / "missing.jsonl")
    with pytest.raises(UsageProblem, match="is a folder"):
        open_file(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageProblem, match="is not a regular file"):
        open_file(tmp_path / "pipe")


@pytest.mark.skipif(
    not Path("/proc/self/mem").exists(),
    reason="there is no /proc/self/mem, a file that opens and cannot be read: run this on Linux, with /proc mounted",
)
@pytest.mark.parametrize("format_name", ["auto", "json", "jsonl", "csv"])
def test_a_file_that_opens_and_cannot_be_read_is_refused_with_one_sentence(format_name: str) -> None:
    with pytest.raises(UsageProblem, match=r"^/proc/self/mem cannot be read: Input/output error\.$"):
        open_file(Path("/proc/self/mem"), format_name)
    with pytest.raises(UsageProblem, match=r"^/proc/self/mem cannot be read: Input/output error\.$"):
        describe_source(Path("/proc/self/mem"))


def test_a_disk_that_fails_in_the_middle_of_a_file_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = open_file(write_file(tmp_path, "a.jsonl", GOOD + b"\n")).entries()
    next(lines)

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(opening, "_read_into", fail)
    with pytest.raises(UsageProblem, match=r"a\.jsonl cannot be read: Input/output error\."):
        list(lines)


def test_a_file_that_may_not_be_read_is_refused_with_one_sentence() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # it is the file that may not be read, not the folder
        path = write_file(folder, "a.jsonl", GOOD)
        path.chmod(0)
        with _no_root(), pytest.raises(UsageProblem, match="may not be read by this user"):
            open_file(path)


@contextmanager
def _no_root() -> Iterator[None]:
    """Root may read everything: for a moment it is somebody else."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(own)
