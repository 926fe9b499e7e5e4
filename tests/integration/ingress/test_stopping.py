"""What becomes of requests in flight when the ingress is told to stop."""

import asyncio
import json

from tests.integration.ingress.serving import request, serving
from tests.waiting import eventually


async def test_a_request_in_flight_is_answered_while_the_service_stops() -> None:
    async with serving(ack_timeout_seconds=10) as served:
        served.publisher.is_away = True
        line = await served.connect()
        await line.say(request())
        await eventually(lambda: served.publisher.waiting == 1, what="the request is in flight")
        served.stop.set()
        await eventually(lambda: _is_refused(served.port), what="nobody new is let in")
        served.publisher.come_back()
        assert (await line.answer())[0] == 202
        assert await line.rest() == b""


async def _is_refused(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return True
    writer.close()
    return False


async def test_a_request_that_outlasts_the_stop_is_told_so() -> None:
    async with serving(ack_timeout_seconds=60, drain_seconds=1) as served:
        served.publisher.is_away = True
        line = await served.connect()
        await line.say(request())
        await eventually(lambda: served.publisher.waiting == 1, what="the request is in flight")
    status, body = await line.answer()  # long before its wait for Kafka would have ended
    assert (status, json.loads(body)["error"]) == (503, "stopping")
    assert await line.rest() == b""
