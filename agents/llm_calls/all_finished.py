"""Concurrent questions of which none is abandoned: an answer in flight is paid for, so it is awaited.

What is awaited with a plain `asyncio.gather` goes on after one of it has failed, and nobody hears it: it
would still ask, and pay, when the room that it asks is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def all_finished(questions: Iterable[Awaitable[T]]) -> list[T]:
    """The answers, in order.

    Raises:
        The first question's error in order, once all have finished.
    """
    answers = await asyncio.gather(*questions, return_exceptions=True)
    good: list[T] = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        good.append(answer)
    return good
