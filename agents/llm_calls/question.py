"""A call on its way to its endpoint: its key, and what it may and will have cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from glossator.agents.llm_calls.budget import Charge
from glossator.agents.llm_calls.chat import Call, ChatEndpoint, ChatReply, ChatRequest, Role
from glossator.agents.llm_calls.metering import Paid
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.stored_answer import call_key
from glossator.agents.llm_calls.token_counts import TokenCounter, TokenTotals
from glossator.errors import ModelAccessError, listed


@runtime_checkable
class Reasoning(Protocol):
    """An endpoint whose model may think before it answers, at the asker's cost."""

    @property
    def reasoning_allowance(self) -> int:
        """Tokens that it may take beyond a request's `max_tokens`."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """A call on its way to its endpoint."""

    call: Call
    endpoint: ChatEndpoint
    identity: str
    """The endpoint's."""
    request: ChatRequest
    key: str
    raw: TokenTotals
    """Estimated tokens of the request and of the likely answer."""

    @property
    def prompt(self) -> str:
        """The name of its prompt."""
        return self.call.prompt.ref.name


class Questions:
    """Makes questions of calls, and reckons what they cost."""

    def __init__(self, endpoints: Mapping[Role, ChatEndpoint], counter: TokenCounter, prices: Prices) -> None:
        self._endpoints, self._counter, self._prices = endpoints, counter, prices
        self._allowances = {
            e.identity: e.reasoning_allowance if isinstance(e, Reasoning) else 0 for e in endpoints.values()
        }

    def of(self, call: Call) -> Question:
        """The question that `call` is to the model of its role; raises `ModelAccessError` without one."""
        endpoint = self.endpoint(call.role)
        identity = endpoint.identity
        request = ChatRequest(
            messages=call.prompt.messages,
            max_tokens=call.max_tokens,
            temperature=call.temperature,
            schema=call.schema,
            top_logprobs=call.top_logprobs,
            sample=call.sample,
            tools=call.tools,
        )
        raw = TokenTotals(
            estimated_input=self._counter.raw(request.messages) + self._tokens_of_tools(request),
            estimated_output=self._counter.text(call.likely),
        )
        # The key is of what was wished for: an endpoint may find out only later what it can do.
        key, able = call_key(identity, request), endpoint.capabilities
        if not (able.schema and able.logprobs and (able.tools or not request.tools)):
            schema = request.schema if able.schema else None
            tools = request.tools if able.tools else ()
            logprobs = request.top_logprobs * able.logprobs
            request = replace(request, schema=schema, top_logprobs=logprobs, tools=tools)
        return Question(call, endpoint, identity, request, key, raw)

    def endpoint(self, role: Role) -> ChatEndpoint:
        """The endpoint of `role`; raises `ModelAccessError` where none is set."""
        endpoint = self._endpoints.get(role)
        if endpoint is None:
            known = listed(r.value for r in self._endpoints)
            raise ModelAccessError(
                f"no model is set for the role {role.value!r} (set are {known or 'none'}): "
                f"give --{role.value} PROVIDER:MODEL"
            )
        return endpoint

    def most(self, question: Question) -> Charge:
        """What one request can cost at most."""
        tokens = self._counter.most_input(question.identity, question.prompt, question.raw.estimated_input)
        price = self._prices.of(question.endpoint)
        output = self._most_output(question)
        return Charge(1, tokens + output, 0.0 if price is None else price.usd(tokens, output))

    def paid(self, question: Question, reply: ChatReply) -> Paid:
        """What `reply` cost; estimated as far as the endpoint does not say."""
        tokens, output = reply.input_tokens, reply.output_tokens
        if tokens is None:
            tokens = self._likely_input(question)
        if output is None:
            output = self._counter.text(reply.text + "".join(c.name + c.arguments for c in reply.tool_calls))
        price = self._prices.of(question.endpoint)
        usd = None if price is None else price.usd(tokens, output, reply.cached_tokens)
        return Paid(tokens, output, usd)

    def likely_reply(self, question: Question) -> ChatReply:
        """The likely answer, of the likely length."""
        output = self._counter.likely_output(
            question.identity, question.prompt, question.raw.estimated_output, self._most_output(question)
        )
        text = question.call.likely
        return ChatReply(text, input_tokens=self._likely_input(question), output_tokens=output)

    def _likely_input(self, question: Question) -> int:
        return self._counter.likely_input(question.identity, question.prompt, question.raw.estimated_input)

    def _most_output(self, question: Question) -> int:
        return question.request.max_tokens + self._allowances[question.identity]

    def _tokens_of_tools(self, request: ChatRequest) -> int:
        """What describing the tools takes; their schemas go out with every request."""
        described = (f"{t.name} {t.description} {json.dumps(dict(t.parameters))}" for t in request.tools)
        return sum(self._counter.text(text) for text in described)
