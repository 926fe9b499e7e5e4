import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from services.ingress.reading import read_one
from services.ingress.refusals import Refusal
from undertone.ingest.entries import Entry
from undertone.ingest.outgoing import Dating, Outgoing, newest_date, newest_until, prepare

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
UNCHANGED = Dating(now=NOW)
SPREAD = Dating(now=NOW, spread=timedelta(days=7))


def _prepare(members: dict[str, Any], dating: Dating = UNCHANGED, text: bytes | None = None) -> Outgoing:
    prepared = prepare(Entry(1, members, text), dating)
    assert isinstance(prepared, Outgoing)
    return prepared


def _sent(members: dict[str, Any], dating: Dating = UNCHANGED) -> dict[str, Any]:
    sent = json.loads(_prepare(members, dating).body)
    assert isinstance(sent, dict)
    return sent


def test_an_entry_with_an_id_is_passed_on_byte_for_byte() -> None:
    text = b'{ "conversation_id":"a",  "turns":[{"text":"It broke."}] }'
    assert _prepare(json.loads(text), text=text).body is text


def test_an_entry_without_an_id_gets_one_from_its_content_whatever_the_order_of_its_members() -> None:
    one = _prepare({"turns": [{"text": "It broke.", "role": "customer"}], "channel": "chat"})
    other = _prepare({"channel": "chat", "turns": [{"role": "customer", "text": "It broke."}]})
    another = _prepare({"channel": "chat", "turns": [{"role": "customer", "text": "It broke!"}]})
    assert one.conversation_id == other.conversation_id != another.conversation_id
    assert json.loads(one.body)["conversation_id"] == one.conversation_id


def test_dates_do_not_decide_a_derived_id() -> None:
    members = {"turns": [{"text": "It broke."}]}
    later = Dating(now=NOW + timedelta(days=1), spread=timedelta(days=3))
    assert _prepare(members, SPREAD).conversation_id == _prepare(members, later).conversation_id


def test_a_single_text_without_an_id_keeps_its_author_its_time_and_the_senders_object() -> None:
    members = {"text": "It broke.", "author": "kim", "timestamp": "2026-01-31T12:00:00Z", "raw_data": {"n": 1}}
    sent = _sent(members)
    assert sent["turns"] == [{"text": "It broke.", "author": "kim", "at": "2026-01-31T12:00:00Z"}]
    assert sent["raw"] == {"n": 1}


def test_what_is_no_conversation_is_sent_as_it_is_so_that_the_service_can_name_what_is_wrong() -> None:
    text = b'{"txt": "It broke."}'
    sent = _prepare(json.loads(text), SPREAD, text)
    assert (sent.body, sent.conversation_id) == (text, None)


def test_undated_conversations_are_spread_over_the_time_before_now_and_each_always_at_the_same_place() -> None:
    conversations = [{"conversation_id": f"c{n}", "turns": [{"text": "a"}, {"text": "b"}]} for n in range(200)]
    times = [newest_date(_sent(one, SPREAD)) for one in conversations]
    assert times == [newest_date(_sent(one, SPREAD)) for one in conversations]
    dated = [time for time in times if time is not None]
    assert len(dated) == 200
    assert NOW - timedelta(days=7) <= min(dated) < NOW - timedelta(days=6)
    assert NOW - timedelta(days=1) < max(dated) <= NOW
    assert len({time.date() for time in dated}) >= 7


def test_the_turns_of_a_spread_conversation_follow_each_other() -> None:
    sent = _sent({"conversation_id": "a", "messages": [{"text": str(n)} for n in range(4)]}, SPREAD)
    times = [turn["at"] for turn in sent["messages"]]
    assert times == sorted(set(times))


def test_spreading_leaves_dated_conversations_alone() -> None:
    text = b'{"conversation_id":"a","turns":[{"text":"x","at":"2026-01-31T12:00:00Z"}]}'
    assert _prepare(json.loads(text), SPREAD, text).body is text


def test_shifting_moves_every_date_by_the_same_time_and_leaves_what_is_no_date() -> None:
    members = {
        "conversation_id": "a",
        "turns": [
            {"text": "x", "at": "2017-10-31T22:00:00Z"},
            {"text": "y", "timestamp": "2017-10-31T23:00:00+00:00"},
            {"text": "z", "at": "yesterday"},
            {"text": "w"},
        ],
    }
    sent = _sent(members, Dating(now=NOW, shift=timedelta(days=365)))
    assert [turn.get("at", turn.get("timestamp")) for turn in sent["turns"]] == [
        "2018-10-31T22:00:00+00:00",
        "2018-10-31T23:00:00+00:00",
        "yesterday",
        None,
    ]


def test_spreading_and_shifting_together_date_the_undated_and_move_the_dated() -> None:
    both = Dating(now=NOW, shift=timedelta(days=365), spread=timedelta(days=1))
    dated = {"conversation_id": "a", "turns": [{"text": "x", "at": "2025-11-21T08:00:00Z"}]}
    undated = {"conversation_id": "b", "turns": [{"text": "y"}]}
    assert newest_date(_sent(dated, both)) == datetime(2026, 11, 21, 8, tzinfo=UTC)
    assert _sent(undated, both) == _sent(undated, Dating(now=NOW, spread=timedelta(days=1)))


def test_a_date_in_the_future_does_not_count_as_the_newest_unless_all_are() -> None:
    past, future, later = ({"turns": [{"text": "x", "at": f"{year}-01-31T12:00:00Z"}]} for year in (2017, 2099, 2100))
    assert newest_until(NOW, [future, past, {"turns": []}]) == newest_date(past)
    assert newest_until(NOW, [future, later]) == newest_date(later)
    assert newest_until(NOW, [{"turns": []}]) is None


def test_a_shift_beyond_all_time_leaves_the_date_for_the_service_to_refuse() -> None:
    members = {"conversation_id": "a", "turns": [{"text": "x", "at": "9999-12-31T00:00:00Z"}]}
    assert _sent(members, Dating(now=NOW, shift=timedelta(days=365))) == members


def test_a_lone_surrogate_stays_an_escape_that_the_service_can_name() -> None:
    members = {"turns": [{"text": "a\ud800b"}]}
    refusal = read_one(_prepare(members).body, NOW)
    assert isinstance(refusal, Refusal)
    assert refusal.problems[0].field == "turns.0.text"


_texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
_conversations = st.fixed_dictionaries(
    {"turns": st.lists(st.fixed_dictionaries({"text": _texts, "role": st.sampled_from(["customer", "agent"])}),
                       min_size=1, max_size=5)},
    optional={"channel": st.just("chat"), "conversation_id": st.from_regex(r"[a-z]{1,8}", fullmatch=True)},
)  # fmt: skip
_single_texts = st.fixed_dictionaries(
    {"text": _texts}, optional={"author": _texts, "timestamp": st.just("2026-01-31T12:00:00Z")}
)


@given(st.one_of(_conversations, _single_texts), st.sampled_from([UNCHANGED, SPREAD]))
def test_whatever_the_front_door_would_take_it_takes_after_preparing_too(
    members: dict[str, Any], dating: Dating
) -> None:
    assume(not isinstance(read_one(json.dumps(members).encode(), NOW), Refusal))  # a text may say nothing
    reading = read_one(_prepare(members, dating).body, NOW)
    assert not isinstance(reading, Refusal)
    assert getattr(reading, "conversation_id", None) == _prepare(members, dating).conversation_id
