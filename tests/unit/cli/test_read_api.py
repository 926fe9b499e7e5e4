import httpx
import pytest

from undertone.errors import CommandError, UsageProblem
from undertone.read_api import NotAnswered, NotFoundError, ReadApi


def _api(answer: httpx.Response | Exception, seen: list[httpx.Request] | None = None) -> ReadApi:
    def respond(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ReadApi("http://read-api", "secret", transport=httpx.MockTransport(respond))


def test_parameters_that_are_not_given_are_left_out_and_the_key_is_shown() -> None:
    seen: list[httpx.Request] = []
    with _api(httpx.Response(200, json={"insights": []}), seen) as api:
        assert api.get("/api/v1/insights", {"limit": 5, "topic": None}) == {"insights": []}
    assert str(seen[0].url) == "http://read-api/api/v1/insights?limit=5"
    assert seen[0].headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (httpx.ConnectError("refused"), CommandError, "Nothing answers at http://read-api"),
        (httpx.ReadTimeout("slow"), CommandError, "did not answer in time"),
        (httpx.RemoteProtocolError("gone"), CommandError, "broke off"),
        (httpx.Response(200, text="<html>"), UsageProblem, "is not the read API"),
        (httpx.Response(200, json=[1]), UsageProblem, "is not the read API"),
        (httpx.Response(401, json={"details": "A key is needed"}), UsageProblem, "A key is needed. Set UNDERTONE_API"),
        (httpx.Response(400, json={"details": "limit: must be at most 1000"}), UsageProblem, "limit: must be at most"),
        (httpx.Response(404, json={"details": "Nothing here"}), NotFoundError, "Nothing here"),
        (httpx.Response(503, json={"details": "Postgres is away"}), CommandError, "answered 503: Postgres is away"),
        (httpx.Response(502, text="<html>"), CommandError, "answered 502: Bad Gateway"),
        (
            httpx.Response(429, headers={"Retry-After": "121"}, json={"details": "More than 600 requests in 60 s"}),
            CommandError,
            "answered 429: More than 600 requests",
        ),
    ],
)
def test_every_failure_is_one_sentence(answer: httpx.Response | Exception, kind: type[CommandError], said: str) -> None:
    with _api(answer) as api, pytest.raises(kind, match=said) as error:
        api.get("/api/v1/insights")
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_long_work_asks_again_what_is_not_answered_until_its_patience_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers: list[httpx.Response | Exception] = [
        httpx.ConnectError("refused"),
        httpx.Response(503, json={"details": "The question takes longer"}),
        httpx.Response(200, json={"versions": []}),
        httpx.Response(503, json={"details": "Postgres is away"}),
    ]

    def respond(_: httpx.Request) -> httpx.Response:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    slept: list[float] = []
    with ReadApi("http://read-api", None, transport=httpx.MockTransport(respond), sleep=slept.append) as api:
        with api.persisting(60):
            assert api.get("/api/v1/versions") == {"versions": []}
            assert slept == [1, 2]
            assert capsys.readouterr().err.count("It is asked again.") == 1
            slept.clear()
            with pytest.raises(NotAnswered, match="Postgres is away"):
                api.get("/api/v1/versions")
            assert 50 <= sum(slept) <= 60
        slept.clear()
        with pytest.raises(NotAnswered, match="Postgres is away"):
            api.get("/api/v1/versions")
        assert slept == []


def test_what_asking_again_cannot_help_is_said_at_once_in_a_long_work_too() -> None:
    with (
        _api(httpx.Response(404, json={"details": "Nothing here"})) as api,
        api.persisting(),
        pytest.raises(NotFoundError),
    ):
        api.get("/api/v1/insights")


def _limited(*waits: str) -> tuple[ReadApi, list[float]]:
    """A read API that answers 429 with these Retry-After, and how long the client slept."""
    answers = [httpx.Response(429, headers={"Retry-After": wait}) for wait in waits]
    answers.append(httpx.Response(200, json={"insights": []}))
    slept: list[float] = []
    transport = httpx.MockTransport(lambda _: answers.pop(0))
    return ReadApi("http://read-api", None, transport=transport, sleep=slept.append), slept


def test_a_limit_is_obeyed_for_as_long_as_it_asks() -> None:
    api, slept = _limited("7", "0", "3")
    with api:
        assert api.get("/api/v1/insights") == {"insights": []}
    assert slept == [7, 1, 3]


def test_a_limit_that_never_ends_is_given_up_after_two_minutes() -> None:
    api, slept = _limited(*["50"] * 5)
    with api, pytest.raises(CommandError, match="answered 429"):
        api.get("/api/v1/insights")
    assert slept == [50, 50]
