"""Keys: shown once, kept as digests, and asked for wherever strangers come by."""

import hmac
from types import SimpleNamespace

import pytest

from services.runtime.api_keys import Access, ApiKeys, admit, is_loopback, new_key, presented_key, refuse_open_bind
from services.runtime.problems import Problem
from services.runtime.settings import SharedSettings


def test_a_new_key_is_known_by_its_entry_and_stands_in_it_nowhere() -> None:
    key, entry = new_key("shop", ["ingest", "read"])
    assert key not in entry
    found = ApiKeys.parse(entry).authenticate(key)
    assert found is not None
    assert (found.name, found.scopes) == ("shop", frozenset({"ingest", "read"}))


@pytest.mark.parametrize("presented", [None, "", "ut_", "ut_wrong", "é\udc80"])
def test_anything_else_is_nobody(presented: str | None) -> None:
    _, entry = new_key("shop", ["ingest"])
    assert ApiKeys.parse(entry).authenticate(presented) is None


def test_every_configured_key_is_compared_whichever_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    key, first = new_key("a", ["read"])
    access = Access(ApiKeys.parse(f"{first} {new_key('b', ['read'])[1]} {new_key('c', ['read'])[1]}"))
    compared: list[bytes] = []

    def compare(configured: bytes, digest: bytes) -> bool:
        compared.append(configured)
        return hmac.compare_digest(configured, digest)

    monkeypatch.setattr("services.runtime.api_keys.hmac", SimpleNamespace(compare_digest=compare))
    assert access.identify(headers(key)).name == "a"
    for wrong in ([], headers("ut_wrong"), [(b"authorization", b"Basic abc")]):
        with pytest.raises(Problem):
            access.identify(wrong)
    assert compared == [configured for configured, _ in access.keys.entries] * 4


def test_several_keys_are_separated_by_spaces_commas_or_lines() -> None:
    entries = [new_key(name, ["read"])[1] for name in ("a", "b", "c", "d")]
    assert len(ApiKeys.parse(f" {entries[0]} {entries[1]},{entries[2]}\n{entries[3]} ").entries) == 4
    assert not ApiKeys.parse("  ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ut_somebodys-real-key", "entry 1 is not NAME"),
        ("shop:ingest:abc", "entry 1 is not NAME"),
        ("shop:fly:" + "0" * 64, "'fly' is not a scope"),
        (" ".join([f"shop:read:{digit * 64}" for digit in "01"]), "two keys are named shop"),
    ],
)
def test_entries_that_cannot_be_read_are_refused_without_being_quoted(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        ApiKeys.parse(text)
    assert "somebodys" not in str(refused.value)


@pytest.mark.parametrize(("name", "scopes"), [("with space", ["read"]), ("", ["read"]), ("a", []), ("a", ["fly"])])
def test_a_key_needs_a_name_and_a_known_scope(name: str, scopes: list[str]) -> None:
    with pytest.raises(ValueError, match="scope"):
        new_key(name, scopes)


def test_a_key_is_shown_as_bearer_or_in_its_own_header() -> None:
    assert presented_key([(b"authorization", b"Bearer abc")]) == "abc"
    assert presented_key([(b"authorization", b"bearer  abc ")]) == "abc"
    assert presented_key([(b"x-api-key", b"abc")]) == "abc"
    assert presented_key([(b"authorization", b"Basic abc")]) == ""
    assert presented_key([(b"accept", b"*/*")]) is None


def headers(key: str) -> list[tuple[bytes, bytes]]:
    return [(b"x-api-key", key.encode())]


def test_without_keys_everybody_may_do_everything() -> None:
    assert admit(Access(ApiKeys()), [], "operate", "127.0.0.1").name == "anonymous"


def test_with_keys_strangers_are_refused_unless_they_are_let_in_by_name() -> None:
    key, entry = new_key("shop", ["operate"])
    keys = ApiKeys.parse(entry)
    with pytest.raises(Problem) as refused:
        admit(Access(keys), [], "read", "203.0.113.1")
    assert (refused.value.status, refused.value.headers["WWW-Authenticate"]) == (401, 'Bearer realm="undertone"')
    open_access = Access(keys, allow_anonymous=True)
    assert admit(open_access, [], "read", "203.0.113.1").name == "anonymous"
    with pytest.raises(Problem) as forbidden:
        admit(open_access, [], "operate", "203.0.113.1")
    assert forbidden.value.status == 403
    assert admit(open_access, headers(key), "operate", "203.0.113.1").name == "shop"
    with pytest.raises(Problem):
        admit(open_access, headers("ut_wrong"), "read", "203.0.113.1")


def test_a_refusal_is_logged_with_name_and_address_and_without_the_key(caplog: pytest.LogCaptureFixture) -> None:
    key, entry = new_key("shop", ["read"])
    access = Access(ApiKeys.parse(entry))
    for shown, scope in ((key, "operate"), ("ut_guess", "read")):
        with pytest.raises(Problem):
            admit(access, headers(shown), scope, "203.0.113.9")
    written = [record.__dict__ for record in caplog.records]
    assert [line["undertone_fields"]["reason"] for line in written] == ["scope_missing", "key_unknown"]
    assert all(line["undertone_fields"]["address"] == "203.0.113.9" for line in written)
    assert key not in str(written)
    assert "ut_guess" not in str(written)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_keys(host: str) -> None:
    assert is_loopback(host)
    refuse_open_bind(SharedSettings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
def test_an_open_address_without_keys_ends_the_start(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        refuse_open_bind(SharedSettings(host=host))
    assert ended.value.code == 2
    assert "API_KEYS is empty" in capsys.readouterr().err
    refuse_open_bind(SharedSettings(host=host, allow_anonymous=True))
    refuse_open_bind(SharedSettings(host=host, api_keys=new_key("a", ["read"])[1]))


def test_malformed_keys_end_the_start_without_showing_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        refuse_open_bind(SharedSettings(api_keys="ut_secret"))
    said = capsys.readouterr().err
    assert "API_KEYS" in said
    assert "ut_secret" not in said
