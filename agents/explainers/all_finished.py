"""Concurrent questions of which none is abandoned: an answer in flight is paid for, so it is awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def all_finished(questions: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
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
