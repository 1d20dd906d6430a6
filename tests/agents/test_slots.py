"""Who may send a request, under endpoints that answer evenly, refuse, slow down or are cancelled."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from glossator.agents.llm_calls.endpoint_limit import EndpointLimit
from glossator.agents.llm_calls.slots import AdaptiveSlots
from tests.agents.virtual_time import clock, run


def limit(most: int, now: list[float]) -> EndpointLimit:
    return EndpointLimit(most, lambda: now[0])


def answers(of: EndpointLimit, now: list[float], seconds: Callable[[int], float], number: int) -> None:
    """As many answers, with the limit kept full: `limit / latency` of them a second."""
    for i in range(number):
        now[0] += seconds(i) / of.now
        of.answered("p", seconds(i), of.now)


@pytest.mark.parametrize("seconds", [0.0, 0.2, 30.0])
def test_an_endpoint_that_answers_evenly_is_never_held_back(seconds: float) -> None:
    now, draw = [0.0], random.Random(0)
    of = limit(64, now)
    for _ in range(200):
        answers(of, now, lambda _: seconds * draw.lognormvariate(0, 0.4), 64)
        assert of.now == 64


def test_long_answers_among_short_ones_are_no_slowness() -> None:
    now = [0.0]
    of = limit(16, now)
    for _ in range(50):
        for kind, seconds in (("read", 0.5), ("explain", 20.0)):
            for _ in range(64):
                now[0] += seconds / of.now
                of.answered(kind, seconds, of.now)
    assert of.now == 16


def test_requests_that_are_refused_together_count_once() -> None:
    now = [10.0]
    of = limit(100, now)
    for _ in range(100):
        of.refused(started=9.0)
    assert of.now == 70
    now[0] = 12.0
    of.refused(started=9.5)
    assert of.now == 70
    of.refused(started=11.0)
    assert of.now == 49
    for i in range(100):
        now[0] = 20.0 + i
        of.refused(started=now[0])
    assert of.now == 1


def test_it_grows_by_a_request_a_round_trip_and_only_where_it_is_used() -> None:
    now = [10.0]
    of = limit(40, now)
    of.refused(started=9.0)
    assert of.now == 28
    answers(of, now, lambda _: 0.2, 29)
    assert of.now == 29
    for _ in range(1000):
        of.answered("p", 0.2, 2)
    assert of.now == 29
    answers(of, now, lambda _: 0.2, 1000)
    assert of.now == 40


def test_slow_answers_at_the_same_rate_shrink_it_gently_and_more_at_a_higher_rate_do_not() -> None:
    now = [0.0]
    slow = limit(32, now)
    answers(slow, now, lambda _: 1.0, 640)
    answers(slow, now, lambda _: 4.0, 64)
    assert 20 <= slow.now < 32
    answers(slow, now, lambda _: 1.0, 1000)
    assert slow.now == 32
    for _ in range(400):
        answers(slow, now, lambda i: 60.0 * 1.1**i, 32)
    assert slow.now >= 8

    carried = limit(32, now)
    answers(carried, now, lambda _: 1.0, 640)
    for _ in range(64):  # slower, and thrice as many
        now[0] += 1.0 / 96
        carried.answered("p", 4.0, 32)
    assert carried.now == 32


def test_after_an_outage_it_begins_with_one_and_doubles() -> None:
    now = [0.0]
    of = limit(64, now)
    of.restart()
    sizes = [of.now]
    for _ in range(7):
        answers(of, now, lambda _: 0.2, of.now)
        sizes.append(of.now)
    assert sizes[:6] == [1, 2, 4, 8, 16, 32]
    assert 32 < sizes[-1] < 40


def test_an_endpoint_with_a_bound_of_its_own_is_kept_near_it() -> None:
    """It refuses what is more than 12 at once; 200 ms an answer."""

    async def flow() -> tuple[int, int]:
        slots, inside, refusals, done = AdaptiveSlots(64, clock=clock), 0, 0, 0

        async def ask() -> None:
            nonlocal inside, refusals, done
            while True:
                async with slots.slot("e"):
                    started = clock()
                    inside += 1
                    await asyncio.sleep(0.2 if inside <= 12 else 0.01)
                    refused = inside > 12
                    inside -= 1
                    if not refused:
                        slots.answered("e", "p", started)
                        done += 1
                        return
                    refusals += 1
                    slots.refused("e", started)

        await asyncio.gather(*(ask() for _ in range(3000)))
        return refusals, round(done / clock())

    refusals, rate = run(flow())
    assert refusals < 600
    assert rate > 0.6 * 12 / 0.2


def test_slots_are_given_in_order_and_a_full_endpoint_holds_up_nobody() -> None:
    async def flow() -> list[str]:
        slots, order = AdaptiveSlots(4, clock=clock), list[str]()
        for _ in range(20):
            slots.refused("small", clock())  # takes one at once now
            await asyncio.sleep(0.01)

        async def ask(endpoint: str, number: int) -> None:
            async with slots.slot(endpoint):
                order.append(f"{endpoint} {number}")
                await asyncio.sleep(1.0)

        asks = [asyncio.create_task(ask("small", i)) for i in range(3)]
        asks += [asyncio.create_task(ask("large", i)) for i in range(6)]
        await asyncio.sleep(0.5)
        load = slots.load()
        assert (load.limit, load.in_flight, load.waiting) == (4, 4, 5)
        await asyncio.gather(*asks)
        return order

    order = run(flow())
    assert order[:4] == ["small 0", "large 0", "large 1", "large 2"]
    assert sorted(order[4:8]) == ["large 3", "large 4", "large 5", "small 1"]
    assert order[8:] == ["small 2"]


def test_no_slot_is_lost_when_those_who_wait_or_hold_are_cancelled() -> None:
    async def flow(seed: int) -> None:
        slots, draw, most = AdaptiveSlots(5, clock=clock), random.Random(seed), 0

        async def ask() -> None:
            nonlocal most
            async with slots.slot("e"):
                most = max(most, slots.load().in_flight)
                await asyncio.sleep(draw.choice((0.0, 0.01, 0.02)))

        asks = [asyncio.create_task(ask()) for _ in range(200)]
        for one in asks:
            if draw.random() < 0.5:
                one.cancel()
            if draw.random() < 0.3:
                await asyncio.sleep(draw.choice((0.0, 0.01)))
        await asyncio.gather(*asks, return_exceptions=True)
        assert slots.load()[:3] == (5, 0, 0)
        assert most <= 5
        async with asyncio.timeout(10):
            await asyncio.gather(*(ask() for _ in range(20)))

    for seed in range(20):
        run(flow(seed))


def test_a_busy_machine_of_our_own_is_no_slow_endpoint() -> None:
    """Every few requests something holds up the event loop for two seconds; the endpoint takes 0.2."""

    async def flow(late: float) -> int:
        slots, blocked = AdaptiveSlots(16, clock=lambda: clock() + blocked), 0.0

        async def ask(number: int) -> None:
            nonlocal blocked
            async with slots.slot("e"):
                started = clock() + blocked
                await asyncio.sleep(0.2)
                if number > 500 and number % 4 == 0:
                    blocked += late
                slots.answered("e", "p", started)

        await asyncio.gather(*(ask(i) for i in range(1000)))
        return slots.load().limit

    assert run(flow(2.0)) == 16
    assert run(flow(0.0)) == 16


def test_busy_time_is_added_up() -> None:
    async def flow() -> None:
        slots = AdaptiveSlots(4, clock=clock)
        assert slots.load() == (4, 0, 0, 0.0, 0.0)
        await asyncio.sleep(100.0)  # counted from the first slot on

        async def ask(seconds: float) -> None:
            async with slots.slot("e"):
                await asyncio.sleep(seconds)

        await asyncio.gather(ask(1.0), ask(2.0), ask(4.0))
        load = slots.load()
        assert load.busy_seconds == pytest.approx(7.0)
        assert load.busy_share == pytest.approx(7.0 / 16.0)

    run(flow())
