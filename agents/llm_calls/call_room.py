"""The one room that makes LLM calls.

An ask goes: answer in the ledger? → is it being asked already? → a slot → room in the budget → the
endpoint, tried again where that helps → the ledger → the asker. An answer is on disk before anyone
sees it, so a killed command never pays for it again.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

from glossator.agents.llm_calls.answer_store import AnswerStore
from glossator.agents.llm_calls.budget import Budget, Charge
from glossator.agents.llm_calls.chat import (
    Call,
    CallFailure,
    Capabilities,
    ChatEndpoint,
    ChatReply,
    ChatRequest,
    Role,
    Unscored,
    UnscoredReason,
)
from glossator.agents.llm_calls.metering import Meter, Paid, metered, meters_of
from glossator.agents.llm_calls.prices import Price, Prices
from glossator.agents.llm_calls.redaction import without_secrets
from glossator.agents.llm_calls.retry import EndpointHealth, RetryPolicy
from glossator.agents.llm_calls.stored_answer import call_key, packed, unpacked
from glossator.agents.llm_calls.token_counts import TokenCounter, TokenTotals
from glossator.errors import BudgetError, ModelAccessError, listed
from glossator.memory.call_store import CallStore, StoredCall
from glossator.records import LlmSpending

T = TypeVar("T")

REASK_SAMPLE = 1000
"""Added to a question's sample whenever it is asked again for want of a readable answer."""
REASK_TEMPERATURE = 0.5
"""At least, when asking again: at 0 the same answer would come back."""
_ASK_AGAIN = (UnscoredReason.MALFORMED, UnscoredReason.EMPTY)


@runtime_checkable
class Reasoning(Protocol):
    """An endpoint whose model may think before it answers, at the asker's cost."""

    @property
    def reasoning_allowance(self) -> int:
        """Tokens that it may take beyond a request's `max_tokens`."""
        ...


class _Answer(NamedTuple):
    """What came of one question, and what was paid for it now (None: nothing)."""

    reply: ChatReply | Unscored
    paid: Paid | None = None


@dataclass(frozen=True)
class _Question:
    """A call on its way to its endpoint."""

    call: Call
    endpoint: ChatEndpoint
    request: ChatRequest
    key: str
    raw: TokenTotals
    """Estimated tokens of the request and of the likely answer."""


class CallRoom:
    """Asks models, within a budget, never twice for the same answer. For one event loop.

    Args:
        endpoints: The model of each role; roles may share one.
        budget: What may be spent; its time starts now.
        store: Where answers are kept; None keeps them nowhere.
        slots: Requests in flight at once, over all endpoints.
        counter: Estimates tokens.
        prices: Prices of models.
        run: The ledger's run that pays.
        retry: How failures are met.
        dry: Answer with `Call.likely` instead of asking, and add up estimates; stored answers count as such.
        reasks: How often a question is asked again whose answer cannot be read.
        environment: Where keys may stand, to be kept out of messages; the process's by default.

    Raises:
        BudgetError: Money is limited and a model's price is unknown.

    """

    def __init__(
        self,
        endpoints: Mapping[Role, ChatEndpoint],
        *,
        budget: Budget,
        store: CallStore | None,
        slots: int,
        counter: TokenCounter,
        prices: Prices,
        run: str = "",
        retry: RetryPolicy | None = None,
        dry: bool = False,
        reasks: int = 1,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._endpoints, self._budget, self._counter, self._prices = endpoints, budget, counter, prices
        self._run, self._dry, self._reasks = run, dry, reasks
        self._environment = os.environ if environment is None else environment
        self._answers = None if store is None else AnswerStore(store, counter)
        self._slots = asyncio.Semaphore(slots)
        policy = retry or RetryPolicy()
        self._allowances = {
            e.identity: e.reasoning_allowance if isinstance(e, Reasoning) else 0 for e in endpoints.values()
        }
        self._health = {e.identity: EndpointHealth(e.model, policy) for e in endpoints.values()}
        self._in_flight: dict[str, asyncio.Future[_Answer | None]] = {}
        self._pretended: set[str] = set()
        self._total = Meter()
        if budget.limits_money and not dry:
            self._refuse_unpriced()
        budget.start()

    def model(self, role: Role) -> str:
        """The short name of the model of `role`."""
        return self._endpoint(role).model

    def capabilities(self, role: Role) -> Capabilities:
        """What the model of `role` can do beyond text."""
        return self._endpoint(role).capabilities

    def meter(self) -> AbstractContextManager[Meter]:
        """A scope whose `Meter` counts everything asked inside, also by tasks that are started inside."""
        return metered(self)

    @property
    def spending(self) -> LlmSpending:
        """What was spent since this room was opened."""
        return self._total.spending

    async def close(self) -> None:
        """Finish what is on its way to the ledger and let go of connections."""
        if self._answers is not None:
            await self._answers.close()
        for endpoint in {id(e): e for e in self._endpoints.values()}.values():
            await endpoint.close()

    async def ask(self, call: Call, read: Callable[[ChatReply], T | Unscored]) -> T | Unscored:
        """The answer to `call` as `read` reads it, or why there is none.

        An answer that `read` finds malformed or empty is asked for once more, as another sample.

        Raises:
            BudgetSpent: The call could exceed the budget.
            ModelAccessError: The model cannot be used as it is set.
            EndpointError: The endpoint failed many times in a row.
            StorageError: The ledger cannot be written.

        """
        result = await self._ask_once(call, read)
        for again in range(1, self._reasks + 1):
            if self._dry or not (isinstance(result, Unscored) and result.reason in _ASK_AGAIN):
                break
            sample = call.sample + REASK_SAMPLE * again
            warmer = replace(call, sample=sample, temperature=max(call.temperature, REASK_TEMPERATURE))
            result = await self._ask_once(warmer, read)
        return result

    async def _ask_once(self, call: Call, read: Callable[[ChatReply], T | Unscored]) -> T | Unscored:
        answer = await self._answer(call)
        result = answer.reply if isinstance(answer.reply, Unscored) else read(answer.reply)
        for meter in (self._total, *meters_of(self)):
            if answer.paid is not None:
                meter.paid(answer.paid)
            elif isinstance(answer.reply, ChatReply):
                meter.cached()
            if isinstance(result, Unscored):
                meter.unscored(result.reason)
        return result

    async def _answer(self, call: Call) -> _Answer:
        """From the ledger, from whoever is asking the same, or from the endpoint."""
        question = self._question(call)
        identity, key = question.endpoint.identity, question.key
        if self._answers is not None:
            await self._answers.open(identity)
        while (running := self._in_flight.get(key)) is not None:
            shared = await asyncio.shield(running)
            if shared is not None:
                return shared._replace(paid=None)
        ours = self._in_flight[key] = asyncio.get_running_loop().create_future()
        answer: _Answer | None = None
        try:
            answer = await self._found(question)
            if answer is None:
                answer = self._pretend(question) if self._dry else await self._bought(question)
            return answer
        finally:
            del self._in_flight[key]
            ours.set_result(answer)  # None sends those who waited to ask themselves

    async def _found(self, question: _Question) -> _Answer | None:
        if self._answers is None:
            return None
        stored = await self._answers.find(question.endpoint.identity, question.key)
        return None if stored is None else _Answer(unpacked(stored))

    async def _bought(self, question: _Question) -> _Answer:
        """Ask until there is an answer or no hope of one."""
        health = self._health[question.endpoint.identity]
        tried = Counter[UnscoredReason]()
        while True:
            try:
                reply = await self._request(question, health)
            except CallFailure as failure:
                tried[failure.reason] += 1
                if await health.back_off(failure, tried):
                    continue
                detail = without_secrets(failure.detail, self._environment)
                health.gave_up(failure, detail)
                return _Answer(Unscored(failure.reason, detail))
            except ModelAccessError as error:
                said = without_secrets(str(error), self._environment, longest=2000)
                raise ModelAccessError(said) from None  # what it came from may hold a key
            health.answered()
            return await self._kept(question, reply)

    async def _request(self, question: _Question, health: EndpointHealth) -> ChatReply:
        """One request, in a slot and within the budget."""
        reserved = self._most(question)
        async with self._slots:
            await health.wait()
            await self._budget.reserve(reserved)
            actual = reserved  # of a call that is cancelled nobody knows what it cost
            try:
                reply = await question.endpoint.complete(question.request)
                paid = self._paid(question, reply)
                actual = Charge(1, paid.input_tokens + paid.output_tokens, paid.usd or 0.0)
            except (CallFailure, ModelAccessError):
                actual = Charge(calls=1)
                raise
            finally:
                self._budget.settle(reserved, actual)
        return reply

    async def _kept(self, question: _Question, reply: ChatReply) -> _Answer:
        paid = self._paid(question, reply)
        call, endpoint = question.call, question.endpoint
        self._counter.learn_reply(endpoint.identity, call.prompt.ref.name, question.raw, reply)
        if self._answers is not None:
            await self._answers.add(
                StoredCall(
                    key=question.key, identity=endpoint.identity, model=endpoint.model, role=call.role.value,
                    run=self._run, prompt=call.prompt.ref, answer=packed(reply),
                    input_tokens=reply.input_tokens, output_tokens=reply.output_tokens,
                    cached_tokens=reply.cached_tokens, counter=self._counter.name,
                    estimated_input=question.raw.estimated_input,
                    estimated_output=question.raw.estimated_output, usd=paid.usd,
                )
            )  # fmt: skip
        return _Answer(reply, paid)

    def _pretend(self, question: _Question) -> _Answer:
        """The likely answer at its likely cost; the second time it would come out of the ledger."""
        identity, call = question.endpoint.identity, question.call
        name, raw = call.prompt.ref.name, question.raw
        tokens = self._counter.likely_input(identity, name, raw.estimated_input)
        output = self._counter.likely_output(
            identity, name, raw.estimated_output, self._most_output(question)
        )
        reply = ChatReply(call.likely, input_tokens=tokens, output_tokens=output)
        if question.key in self._pretended:
            return _Answer(reply)
        self._pretended.add(question.key)
        return _Answer(reply, self._paid(question, reply))

    def _question(self, call: Call) -> _Question:
        endpoint = self._endpoint(call.role)
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
        key, able = call_key(endpoint.identity, request), endpoint.capabilities
        if not (able.schema and able.logprobs and (able.tools or not request.tools)):
            schema = request.schema if able.schema else None
            tools = request.tools if able.tools else ()
            logprobs = request.top_logprobs * able.logprobs
            request = replace(request, schema=schema, top_logprobs=logprobs, tools=tools)
        return _Question(call, endpoint, request, key, raw)

    def _tokens_of_tools(self, request: ChatRequest) -> int:
        """What describing the tools takes; their schemas go out with every request."""
        described = (f"{t.name} {t.description} {json.dumps(dict(t.parameters))}" for t in request.tools)
        return sum(self._counter.text(text) for text in described)

    def _most(self, question: _Question) -> Charge:
        """What one request can cost at most."""
        name = question.call.prompt.ref.name
        tokens = self._counter.most_input(question.endpoint.identity, name, question.raw.estimated_input)
        price = self._prices.of(question.endpoint)
        output = self._most_output(question)
        return Charge(1, tokens + output, 0.0 if price is None else price.usd(tokens, output))

    def _most_output(self, question: _Question) -> int:
        return question.request.max_tokens + self._allowances[question.endpoint.identity]

    def _paid(self, question: _Question, reply: ChatReply) -> Paid:
        """What `reply` cost; estimated as far as the endpoint does not say."""
        name, identity = question.call.prompt.ref.name, question.endpoint.identity
        tokens, output = reply.input_tokens, reply.output_tokens
        if tokens is None:
            tokens = self._counter.likely_input(identity, name, question.raw.estimated_input)
        if output is None:
            output = self._counter.text(reply.text + "".join(c.name + c.arguments for c in reply.tool_calls))
        price: Price | None = self._prices.of(question.endpoint)
        usd = None if price is None else price.usd(tokens, output, reply.cached_tokens)
        return Paid(tokens, output, usd)

    def _endpoint(self, role: Role) -> ChatEndpoint:
        endpoint = self._endpoints.get(role)
        if endpoint is None:
            known = listed(r.value for r in self._endpoints)
            raise ModelAccessError(
                f"no model is set for the role {role.value!r} (set are {known or 'none'}): "
                f"give --{role.value} PROVIDER:MODEL"
            )
        return endpoint

    def _refuse_unpriced(self) -> None:
        for endpoint in self._endpoints.values():
            if self._prices.of(endpoint) is None:
                raise BudgetError(
                    f"the budget limits money ({self._budget.limits}), but the price of {endpoint.model!r} "
                    "is unknown: set price (such as GLOSSATOR_PRICE=0.25/2, US dollars per million input and "
                    "output tokens; 0/0 if it is free), or limit tokens or calls instead"
                )
