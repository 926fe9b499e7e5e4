from undertone.bench.recorder import Recorder


def answer(recorder: Recorder, status: int, *, at: float, took: float) -> None:
    recorder.answered(status, intended_at=at - took, sent_at=at - took, now=at)


def test_answers_belong_to_the_stretch_in_which_they_came() -> None:
    recorder = Recorder(began_at=10.0, slice_seconds=1.0)
    answer(recorder, 202, at=10.5, took=0.1)
    answer(recorder, 503, at=11.2, took=1.1)
    answer(recorder, 202, at=11.4, took=0.1)
    recorder.finish(11.5)
    assert [one.answers for one in recorder.slices] == [{"202": 1}, {"503": 1, "202": 1}]
    assert [one.seconds for one in recorder.slices] == [1.0, 0.5]
    assert recorder.slices[1].largest_ms > 1000 > recorder.slices[0].largest_ms


def test_a_stretch_without_answers_is_kept_as_a_gap() -> None:
    recorder = Recorder(began_at=0.0, slice_seconds=1.0)
    answer(recorder, 202, at=0.5, took=0.1)
    answer(recorder, 202, at=3.5, took=3.0)
    recorder.finish(4.0)
    assert [one.answers for one in recorder.slices] == [{"202": 1}, {}, {}, {"202": 1}]
    assert [one.largest_ms for one in recorder.slices[1:3]] == [0, 0]


def test_latency_of_accepted_requests_is_apart_from_that_of_all() -> None:
    recorder = Recorder(began_at=0.0)
    answer(recorder, 202, at=0.5, took=0.1)
    answer(recorder, 429, at=0.5, took=0.3)
    assert recorder.accepted_latency.count == 1
    assert recorder.latency.count == 2
