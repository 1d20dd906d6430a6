from __future__ import annotations

import asyncio

import pytest

from glossator.own_loop import run_to_end


async def answer(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def refuse() -> int:
    raise ValueError("no")


def test_from_plain_code() -> None:
    assert run_to_end(answer(3)) == 3
    with pytest.raises(ValueError, match="no"):
        run_to_end(refuse())


def test_where_a_loop_runs_already_as_in_a_notebook() -> None:
    async def cell() -> int:
        return run_to_end(answer(4))

    assert asyncio.run(cell()) == 4
