"""What cannot be asked for is one sentence, said before anything is reached."""

from pathlib import Path

import pytest

from undertone.cli import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "What to replay? Give --since"),
        (("--since", "1h", "--until", "2h"), "is not before --until"),
        (("--since", "2999-01-01"), "is not before --until"),
        (("--since", "soon"), "--since is 'soon'"),
        (("--since", "1h", "--subject", "nonsense"), "which is no subject"),
        (("--since", "1h", "--channel", "a b"), "--channel is 'a b'"),
        (("--since", "1h", "--sentiment", "angry"), "is not one of 'positive', 'neutral', 'negative'"),
        (("--since", "1h", "--analysis-version", "a/b"), "--analysis-version is 'a/b'"),
        (("--since", "1h", "--name", "../x"), "cannot name a replay"),
        (("--conversation", "a b"), "which is no conversation id"),
        (("pause", "nobody"), "There is no replay 'nobody' in this folder"),
        (("cancel", "nobody"), "There is no replay 'nobody' in this folder"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    arguments: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["replay", *arguments]) == 2
    shown = capsys.readouterr()
    assert said in " ".join(shown.err.split())
    assert shown.out == ""
