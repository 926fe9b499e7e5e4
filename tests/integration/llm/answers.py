"""Looking at answers."""

from services.analyzer.engine import Answer, Finding, Refusal, Task


def findings_of(answer: Answer) -> list[Finding]:
    return [result for result in answer.results if isinstance(result, Finding)]


def refusals_of(answer: Answer) -> list[Refusal]:
    return [result for result in answer.results if isinstance(result, Refusal)]


def assert_quoted(tasks: list[Task], answer: Answer) -> None:
    for task, result in zip(tasks, answer.results, strict=True):
        if isinstance(result, Finding):
            assert any(result.evidence in turn.text for turn in task.turns)
            others = [turn.text.lower() for other in tasks if other is not task for turn in other.turns]
            assert not any(result.evidence.lower() in text for text in others)
