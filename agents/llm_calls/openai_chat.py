"""LangChain's client for OpenAI and everything that speaks its dialect, opened so that nothing leaks.

A request to a custom URL carries the key that was named for it and nothing of the environment: no
`OPENAI_API_KEY`, no organisation, no custom headers. Retries are the call room's.
"""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from glossator.agents.llm_calls.chat import ChatRequest

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI
    from openai import AsyncOpenAI
else:
    AsyncOpenAI = ChatOpenAI = Any

OPENAI_URL = "https://api.openai.com/v1"
_LONGEST_CONNECT = 15.0
"""Seconds; a server that cannot be connected to by then is not there."""


class OpenAiChat(NamedTuple):
    """The chat model, and the client that it speaks through (to be closed)."""

    chat: ChatOpenAI
    client: AsyncOpenAI


class LoopChat:
    """A chat model that is opened when it is first spoken to, anew in each event loop: connections belong
    to the loop that made them.
    """

    def __init__(self, open_it: Callable[[], OpenAiChat]) -> None:
        self._open = open_it
        self._opened: OpenAiChat | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self, request: ChatRequest) -> ChatOpenAI:
        loop = asyncio.get_running_loop()
        if self._opened is None or self._loop is not loop:
            self._opened, self._loop = self._open(), loop
        return self._opened.chat

    async def close(self) -> None:
        """Close the connections of this loop; those of a loop that is gone went with it."""
        opened, self._opened = self._opened, None
        if opened is not None and self._loop is asyncio.get_running_loop():
            await opened.client.close()


def open_chat(model: str, *, url: str, key: str, timeout: float, own_environment: bool) -> OpenAiChat:
    """A chat model at `url`. Makes no call.

    Args:
        model: As the endpoint calls it.
        url: Up to and without `/chat/completions`.
        key: Sent as bearer token.
        timeout: Seconds that the server may be silent.
        own_environment: Whether `OPENAI_ORG_ID` and its like are meant for this endpoint.

    """
    import openai
    from langchain_openai import ChatOpenAI as LangChainChat

    # What it warns of is learned and dealt with in `request_form`.
    warnings.filterwarnings("ignore", ".*structured output", UserWarning, "langchain_openai")
    seconds = openai.Timeout(timeout, connect=min(timeout, _LONGEST_CONNECT))
    client = openai.AsyncOpenAI(
        api_key=key,
        base_url=url,
        max_retries=0,
        timeout=seconds,
        default_headers=None if own_environment else _without_environment(key),
    )

    async def own_key() -> str:
        return key

    chat = LangChainChat(
        model=model,
        base_url=url,
        api_key=own_key,  # async, so that no second, synchronous client is made
        root_async_client=client,
        async_client=client.chat.completions,
        max_retries=0,
        cache=False,
        use_responses_api=None if own_environment else False,
        stream_usage=True,
    )
    return OpenAiChat(chat, client)


def _without_environment(key: str) -> dict[str, Any]:
    """Headers that undo what the SDK takes from the environment."""
    from openai import Omit

    taken = ["OpenAI-Organization", "OpenAI-Project"]
    for line in os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines():
        taken.append(line.partition(":")[0].strip())
    return {**{name: Omit() for name in taken if name}, "Authorization": f"Bearer {key}"}
