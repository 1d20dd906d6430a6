"""An endpoint behind LangChain: OpenAI's dialect, with what each server makes of it, and other providers.

One attempt per question, besides writing it differently where the endpoint refuses a parameter: retries,
budget and storage are the call room's. Tracing and callbacks are off, prompts may hold sealed text.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from glossator.agents.llm_calls.chat import (
    CallFailure,
    Capabilities,
    ChatReply,
    ChatRequest,
    Finish,
    UnscoredReason,
)
from glossator.agents.llm_calls.failure_translation import Addressee, complaint, status_of, translated
from glossator.agents.llm_calls.request_form import Fields, Part, RequestForm, written_tool
from glossator.agents.llm_calls.wire_reply import read_reply
from glossator.errors import ModelAccessError
from glossator.prompts.rendered_prompt import ChatMessage

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
else:
    BaseChatModel = Any

_MOST_WRITINGS = len(Part) + 2
"""Ways to write a request before an endpoint that refuses them all is believed."""

ChatOf = Callable[[ChatRequest], BaseChatModel]
"""The chat model to ask: the same one always, or one per temperature and length."""


async def _nothing() -> None:
    return


@dataclass(frozen=True)
class Connection:
    """A chat model that is open, and how to let go of it."""

    chat_of: ChatOf
    addressee: Addressee
    identity: str
    close: Callable[[], Awaitable[None]] = _nothing


class LangChainEndpoint:
    """A `ChatEndpoint` over a LangChain chat model.

    Args:
        connection: Where to ask.
        form: How requests are written in OpenAI's dialect; None for providers with one of their own,
            which get temperature and length when the chat model is made, tools by LangChain's own
            binding, and neither schema nor logprobs.
        timeout: Seconds for a whole answer.

    """

    def __init__(self, connection: Connection, form: RequestForm | None, *, timeout: float) -> None:
        self._connection, self.form, self._timeout = connection, form, timeout
        self._binds_tools = True
        """Of a provider with a dialect of its own: until LangChain says that it does not."""

    @property
    def model(self) -> str:
        return self._connection.addressee.model

    @property
    def identity(self) -> str:
        return self._connection.identity

    @property
    def capabilities(self) -> Capabilities:
        """As far as is known: hopeful at first, corrected by what the endpoint refuses or ignores."""
        return Capabilities(tools=self._binds_tools) if self.form is None else self.form.capabilities

    @property
    def reasoning_allowance(self) -> int:
        """Tokens that the model may spend on reasoning, beyond a request's `max_tokens`."""
        return 0 if self.form is None else self.form.allowance

    async def complete(self, request: ChatRequest) -> ChatReply:
        """One answer; see `ChatEndpoint`."""
        failure: CallFailure | ModelAccessError | None = None
        for _ in range(_MOST_WRITINGS):
            sent = self._written(request)
            try:
                reply = await self._answer(request, sent)
            except Exception as exc:  # providers raise what they like; all of it is raised on, translated
                failure = translated(exc, self._addressee(request))
                if not self._learn_refusal(request, sent, exc, failure):
                    raise failure from exc
            else:
                self._learn_ignored(request, reply)
                return reply
        assert failure is not None
        raise failure

    async def stream(self, request: ChatRequest) -> AsyncIterator[str]:
        """The answer's text, piece by piece as it comes; a whole piece may be silent up to the timeout.

        Raises:
            CallFailure: No answer came, or it was cut; what came before is already given.
            ModelAccessError: As `complete`.

        """
        chat = self._connection.chat_of(request).bind(**_bound(self._written(request)))
        pieces = chat.astream(_turns(request.messages), {"callbacks": []})
        finished = False
        while True:
            try:
                with _untraced():
                    async with asyncio.timeout(self._timeout):
                        piece = await anext(pieces, None)
            except Exception as exc:  # as in `complete`
                raise translated(exc, self._addressee(request)) from exc
            if piece is None:
                break
            finished = finished or bool(piece.response_metadata.get("finish_reason"))
            if piece.text:
                yield str(piece.text)
        if self.form is not None and not finished:
            cut = ConnectionResetError("the stream ended before the answer did")
            raise translated(cut, self._addressee(request)) from cut

    async def close(self) -> None:
        """Let go of connections."""
        await self._connection.close()

    async def _answer(self, request: ChatRequest, sent: Fields) -> ChatReply:
        with _untraced():
            async with asyncio.timeout(self._timeout):
                chat = self._chat(request, sent)
                return read_reply(await chat.ainvoke(_turns(request.messages), {"callbacks": []}))

    def _chat(self, request: ChatRequest, sent: Fields) -> Any:
        """The chat model with everything bound to it; without tools where it can bind none."""
        chat = self._connection.chat_of(request)
        if self.form is None and request.tools and self._binds_tools:
            try:
                return chat.bind_tools([cast(dict[str, Any], written_tool(t)) for t in request.tools])
            except NotImplementedError:
                self._binds_tools = False
        return chat.bind(**_bound(sent))

    def _written(self, request: ChatRequest) -> Fields:
        return {} if self.form is None else self.form.fields(request)

    def _learn_refusal(
        self, request: ChatRequest, sent: Fields, error: Exception, failure: Exception
    ) -> bool:
        """Whether the endpoint refused how the request was written and it would now be written otherwise.

        Calls in flight together are refused together: the first learns, the others only try again.
        """
        reasons = (UnscoredReason.CONTEXT_TOO_SMALL, UnscoredReason.REFUSED)
        about_the_prompt = isinstance(failure, CallFailure) and failure.reason in reasons
        if self.form is None or about_the_prompt or status_of(error) not in (400, 403, 422):
            return False
        self.form.learn_refusal(sent, complaint(error))
        return self.form.fields(request) != sent

    def _learn_ignored(self, request: ChatRequest, reply: ChatReply) -> None:
        """Notice what was taken and had no effect."""
        if self.form is None or reply.finish is not Finish.STOP or not reply.text.strip():
            return
        if request.top_logprobs and not reply.tokens:
            self.form.forget(Part.LOGPROBS)
        if request.schema is not None and reply.text.strip()[0] not in "{[":
            self.form.forget(Part.SCHEMA)

    def _addressee(self, request: ChatRequest) -> Addressee:
        return replace(self._connection.addressee, said=tuple(m.content for m in request.messages))


def _bound(fields: Fields) -> dict[str, Fields]:
    """As a keyword of a chat call. LangChain would rename or parse some fields if given as themselves."""
    return {"extra_body": fields} if fields else {}


def _turns(messages: tuple[ChatMessage, ...]) -> list[tuple[str, str]]:
    return [(m.role, m.content) for m in messages]


def _untraced() -> Any:
    """LangSmith off, whatever the environment says: prompts may hold sealed text."""
    from langsmith import tracing_context

    return tracing_context(enabled=False)
