"""What strangers do on the wire: slow, huge, broken and smuggled requests, on real sockets."""

import asyncio
import json

import pytest

from services.runtime.connection_limits import ConnectionLimits
from services.runtime.server import CannotListen
from tests.http_client import http_client
from tests.integration.ingress.serving import HEAD, Line, request, serving
from tests.waiting import eventually
from undertone.embedded.ports import free_port

BRISK = ConnectionLimits(request_seconds=0.3)


async def test_a_whole_request_on_one_connection_after_another_is_answered() -> None:
    async with serving() as served:
        line = await served.connect()
        for _ in range(3):
            await line.say(request())
            status, body = await line.answer()
            assert (status, json.loads(body)["status"]) == (202, "accepted")
        line.close()
        assert len(served.publisher.records) == 3


async def test_pipelined_requests_are_all_answered_in_order() -> None:
    async with serving() as served:
        line = await served.connect()
        await line.say(b"".join(request(f'{{"external_id":"c{number}","text":"a"}}') for number in range(20)))
        ids = [json.loads((await line.answer())[1])["conversation_id"] for _ in range(20)]
        line.close()
    assert ids == [f"c{number}" for number in range(20)]


@pytest.mark.parametrize(
    "part",
    [HEAD, f"{HEAD}content-length: 100\r\n\r\n", f'{HEAD}content-length: 100\r\n\r\n{{"text":', "POST /api"],
)
async def test_a_request_that_does_not_arrive_is_cut_off_with_408(part: str) -> None:
    async with serving(BRISK) as served:
        line = await served.connect()
        await line.say(part)
        status, body = await line.answer()
        assert (status, json.loads(body)["error"]) == (408, "request_timeout")
        assert await line.rest() == b""


async def test_drop_by_drop_does_not_help() -> None:
    async with serving(BRISK) as served:
        line = await served.connect()
        await line.say(HEAD)
        with pytest.raises(ConnectionError):
            await _drip(line)


async def _drip(line: Line) -> None:
    """A header every 50 ms, as slow clients do on purpose."""
    for number in range(1000):
        await line.say(f"x-{number}: a\r\n")
        await asyncio.sleep(0.05)


async def test_a_connection_that_says_nothing_is_closed_without_a_word() -> None:
    async with serving(BRISK) as served:
        line = await served.connect()
        assert await line.rest() == b""


async def test_a_kept_connection_may_rest_between_requests() -> None:
    async with serving(BRISK) as served:
        line = await served.connect()
        await line.say(request())
        await line.answer()
        await asyncio.sleep(1.2)  # several sweeps: this is about time itself
        await line.say(request())
        assert (await line.answer())[0] == 202
        line.close()


@pytest.mark.parametrize(
    "headers",
    [
        "".join(f"x-{number}: a\r\n" for number in range(200)),
        f"x-large: {'a' * 40_000}\r\n",
        f"x-endless: {'a' * 300_000}",
    ],
)
async def test_headers_beyond_the_limits_are_431(headers: str) -> None:
    async with serving() as served:
        line = await served.connect()
        await line.say(HEAD + headers + ("\r\n" if headers.endswith("\r\n") else ""))
        assert (await line.answer())[0] == 431
        line.close()
        assert served.publisher.records == []


@pytest.mark.parametrize(
    "head",
    [
        "content-length: 12\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        'content-length: 12\r\ncontent-length: 2\r\n\r\n{"text":"a"}',
        'content-length: +12\r\n\r\n{"text":"a"}',
        "transfer-encoding: chunked\r\n\r\nzz\r\n",
        "transfer-encoding: gzip, chunked, identity\r\n\r\n",
        "no colon here\r\n\r\n",
        "x-nul: a\x00b\r\n\r\n",
    ],
)
async def test_smuggled_and_broken_lengths_are_400_and_end_the_connection(head: str) -> None:
    async with serving() as served:
        line = await served.connect()
        await line.say(HEAD + head)
        assert (await line.rest()).startswith(b"HTTP/1.1 4")
        assert served.publisher.records == []


@pytest.mark.parametrize(
    "noise", [b"\x16\x03\x01\x02\x00\x01", b"GARBAGE\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00" * 50]
)
async def test_what_is_not_http_is_answered_with_a_problem_and_closed(noise: bytes) -> None:
    async with serving() as served:
        line = await served.connect()
        await line.say(noise)
        status, body = await line.answer()
        assert (status, json.loads(body)["error"]) == (400, "malformed_request")
        assert len(json.loads(body)["correlation_id"]) == 32
        assert await line.rest() == b""


@pytest.mark.parametrize("hosts", ["", "host: a\r\nhost: b\r\n"])
async def test_a_request_for_no_host_or_for_two_is_400(hosts: str) -> None:
    async with serving() as served:
        line = await served.connect()
        await line.say(f"GET /livez HTTP/1.1\r\n{hosts}\r\n")
        status, body = await line.answer()
        assert (status, json.loads(body)["error"]) == (400, "malformed_request")
        line.close()
        old = await served.connect()
        await old.say("GET /livez HTTP/1.0\r\n\r\n")
        assert (await old.answer())[0] == 200
        old.close()


async def test_a_chunked_body_is_413_as_soon_as_it_is_too_large() -> None:
    async with serving() as served:
        line = await served.connect()
        await line.say(f"{HEAD}transfer-encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        for _ in range(18):
            await line.say(chunk)
        assert (await line.answer())[0] == 413
        line.close()


@pytest.mark.parametrize("pause_after", [0, 1, 7_000])
async def test_a_body_in_thousands_of_pieces_is_read_whole(pause_after: int) -> None:
    text = "".join(f"{number} " for number in range(3_000))
    body = json.dumps({"text": text}).encode()
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for at in range(0, len(body), 2) if (piece := body[at : at + 2])]
    async with serving() as served:
        line = await served.connect()
        await line.say(f"{HEAD}transfer-encoding: chunked\r\n\r\n".encode() + b"".join(chunks[:pause_after]))
        await line.say(b"".join(chunks[pause_after:]) + b"0\r\n\r\n")
        assert (await line.answer())[0] == 202
        line.close()
        (record,) = served.publisher.records
    assert json.loads(record.value or b"")["turns"] == [{"role": "customer", "text": text}]


async def test_a_client_that_asks_before_sending_too_much_is_told_not_to() -> None:
    async with serving() as served:
        line = await served.connect()
        await line.say(f"{HEAD}expect: 100-continue\r\ncontent-length: 5000000\r\n\r\n")
        assert (await line.answer())[0] == 413
        line.close()
        polite = await served.connect()
        await polite.say(f"{HEAD}expect: 100-continue\r\ncontent-length: 12\r\n\r\n")
        assert (await polite.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        await polite.say('{"text":"a"}')
        assert (await polite.answer())[0] == 202
        polite.close()


async def test_connections_beyond_the_cap_are_503_and_the_others_are_served() -> None:
    async with serving(ConnectionLimits(max_connections=3, request_seconds=30)) as served:
        lines = [await served.connect() for _ in range(3)]
        for line in lines:
            await line.say(request())
            assert (await line.answer())[0] == 202
        extra = await served.connect()
        assert b"503 Service Unavailable" in await extra.rest()
        lines[0].close()
        await eventually(lambda: _serves(served.port), what="a place is free again")
        for line in lines:
            line.close()


async def _serves(port: int) -> bool:
    line = Line(*await asyncio.open_connection("127.0.0.1", port))
    await line.say("GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    answer = await line.rest()
    line.close()
    return answer.startswith(b"HTTP/1.1 200")


async def test_a_taken_port_is_named_with_its_setting() -> None:
    async with serving() as served:
        with pytest.raises(CannotListen, match=rf"INGRESS_PORT: cannot listen on 127\.0\.0\.1 port {served.port}"):
            async with serving(port=served.port):
                pass


async def test_the_metrics_port_shows_details_without_a_key() -> None:
    port = free_port()
    entry = "board:read:" + "0" * 64
    async with serving(metrics_port=port, api_keys=entry) as served, http_client() as client:
        strangers = (await client.get(f"{served.url}/readyz")).json()
        scraper = (await client.get(f"http://127.0.0.1:{port}/readyz")).json()
        assert "waiting_sends" not in strangers
        assert scraper["waiting_sends"] == 0
        assert "undertone_http_connections_open" in (await client.get(f"http://127.0.0.1:{port}/metrics")).text


async def test_a_client_that_never_reads_its_answers_is_cut_off() -> None:
    limits = ConnectionLimits(answer_seconds=0.3, request_seconds=30)
    async with serving(limits) as served:
        line = await served.connect()
        bulk = b"[" + b",".join([b'{"text":""}'] * 500) + b"]"
        head = HEAD.replace("conversations", "conversations/bulk") + f"content-length: {len(bulk)}\r\n\r\n"
        with pytest.raises(ConnectionError):
            await _ask_without_reading(line, head.encode() + bulk)


async def _ask_without_reading(line: Line, question: bytes) -> None:
    line.reader._limit = 1024  # type: ignore[attr-defined]  # so that this side stops reading at once
    async with asyncio.timeout(20):
        while True:
            await line.say(question)
