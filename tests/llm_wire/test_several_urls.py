"""One model behind several real servers, some of which go away."""

from __future__ import annotations

import asyncio

from glossator.agents.llm_calls.model_spec import ModelSpec
from glossator.agents.llm_calls.open_endpoint import open_endpoint
from glossator.agents.llm_calls.pooled_endpoint import PooledEndpoint
from glossator.agents.llm_calls.scripted_chat import always
from tests.agents.call_room_fixtures import question, read, room
from tests.llm_wire.scripted_server import serving


def test_a_server_that_is_not_there_costs_no_answer() -> None:
    with serving(always("1")) as closed:
        gone = closed.base_url
    with serving(always("1")) as here:
        endpoint = open_endpoint(ModelSpec.parse("m", base_url=f"{gone},{here.base_url}"), timeout=60.0)
        assert isinstance(endpoint, PooledEndpoint)

        async def flow() -> None:
            calls = room(endpoint, slots=6)
            answers = await asyncio.gather(*(calls.ask(question(f"1|{i}|1"), read) for i in range(60)))
            assert answers == ["1"] * 60
            first, second = calls.members
            assert (first.where, first.is_healthy, first.answered) == (f"m@{gone}", False, 0)
            assert first.said.startswith("endpoint unreachable: ")
            assert (second.is_healthy, second.answered, second.failed) == (True, 60, 0)
            await calls.close()

        asyncio.run(flow())


def test_a_server_that_answers_with_errors_is_left_alone() -> None:
    with serving(always("1")) as good, serving(always("1")) as bad:
        bad.status = lambda _: 503
        spec = ModelSpec.parse("m", base_url=f"{bad.base_url},{good.base_url}")

        async def flow() -> None:
            calls = room(open_endpoint(spec, timeout=60.0), slots=4)
            answers = await asyncio.gather(*(calls.ask(question(f"1|{i}|1"), read) for i in range(60)))
            assert answers == ["1"] * 60
            await calls.close()

        asyncio.run(flow())
        assert len(bad.asked) < 12
        assert len(good.asked) == 60
