"""A prompt with its variables filled in: what is said, and which file said it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from glossator.records import PromptRef


class ChatMessage(NamedTuple):
    """One turn."""

    role: Literal["system", "user", "assistant"]
    content: str


class RenderedPrompt(NamedTuple):
    """The turns of one prompt file, rendered."""

    messages: tuple[ChatMessage, ...]
    ref: PromptRef
